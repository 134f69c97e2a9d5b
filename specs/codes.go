package specs

// Codes of diagnostics. They are stable: a code keeps its meaning, and none is
// used again for another. P1 concerns files and text, P2 fields, P3 references,
// P4 the graph as a whole, P5 columns and expressions; W codes are warnings.
// [Explain] has the text of each.
const (
	CodeNoFile      = "P101" // the graph's file cannot be read
	CodeSyntax      = "P102" // the text is not CUE, JSON or YAML
	CodeImport      = "P103" // an import leads nowhere
	CodeNoGraph     = "P104" // no field named graph
	CodeEmbedded    = "P105" // #Graph embedded at the top of a file
	CodeTag         = "P106" // -t names no parameter
	CodeTagValue    = "P107" // -t gives a parameter a value it cannot take
	CodeLoader      = "P108" // the text upsets the CUE evaluator
	CodeConflict    = "P201" // values that exclude each other
	CodeUnknown     = "P202" // a field the definition does not have
	CodeType        = "P203" // a value of another type
	CodeRange       = "P204" // a value out of bounds
	CodeEnum        = "P205" // a value that is not one of the list
	CodeFormat      = "P206" // a text of another form
	CodeMissing     = "P207" // a required field is missing
	CodeNoValue     = "P208" // a field has no definite value
	CodeDefinition  = "P209" // no such definition in the schema
	CodeKind        = "P210" // no such kind
	CodeTwice       = "P211" // a node defined twice
	CodeNodeName    = "P212" // a name that no node can have
	CodeEvaluation  = "P213" // an expression that cannot be evaluated
	CodeReference   = "P301" // a reference to nothing
	CodePort        = "P302" // a node has no such output port
	CodeWholeNode   = "P303" // a node where a port belongs
	CodeNotPort     = "P304" // something else where a port belongs
	CodeCycle       = "P401" // nodes that wait for each other
	CodeOutputTwice = "P402" // two nodes write to one place
	CodeMode        = "P403" // a kind that does not fit the graph's mode
	CodeNoSource    = "P404" // nothing to read
	CodeConfig      = "P405" // fields that do not fit together
	CodeColumn      = "P501" // a column that is not there
	CodeColumnType  = "P502" // a column of another type
	CodeColumnTwice = "P503" // a column made twice
	CodeExpression  = "P504" // an expression that is not CEL or does not fit the columns
	CodeResource    = "P505" // a file or model that cannot be opened
	CodeCalibration = "P506" // a calibration made for something else
	CodeVendored    = "W601" // the vendored schema differs
	CodeUnused      = "W602" // rows that nothing takes
	CodeUnusedPort  = "W603" // rows of a port that nothing takes

	CodeHiddenRejects = "W604" // rejects that end out of sight
	CodeUnjudged      = "W605" // a detector without calibration
	CodeNeedless      = "W606" // a silence that silences nothing
)
