package transforms

// Evaluator is a node whose result belongs in the report, whether or not the
// graph takes its rows.
type Evaluator interface {
	Node
	// Evaluation is the result, nil before the run is done.
	Evaluation() *Evaluation
}

// Evaluation says how well scores separate the rows that have the positive
// label from the others.
type Evaluation struct {
	Node     string            `json:"node,omitempty"`
	Label    string            `json:"label"`    // column
	Positive string            `json:"positive"` // its value in the positive class
	By       []string          `json:"by,omitempty"`
	Scores   []ScoreEvaluation `json:"scores"` // by group, then score
}

// ScoreEvaluation is the evaluation of one score in one group of rows. A higher
// score stands for the positive class.
type ScoreEvaluation struct {
	Score            string      `json:"score"`
	Group            string      `json:"group,omitempty"` // values of the By columns, joined; empty for all rows
	Positives        int         `json:"positives"`
	Negatives        int         `json:"negatives"`
	Missing          int         `json:"missing,omitempty"` // rows without a label or a score
	AUROC            float64     `json:"auroc"`
	AUROCLow         float64     `json:"aurocLow"` // 95 % interval (DeLong)
	AUROCHigh        float64     `json:"aurocHigh"`
	AveragePrecision float64     `json:"averagePrecision"`
	At               []Operating `json:"at"`
	ROC              []Point     `json:"roc"`
	HistEdges        []float64   `json:"histEdges"` // one more than the counts
	HistPositive     []int64     `json:"histPositive"`
	HistNegative     []int64     `json:"histNegative"`
	Note             string      `json:"note,omitempty"` // why there are no figures
}

// Operating is an operating point: the threshold for a false-positive rate and
// what it does, with exact binomial 95 % intervals.
type Operating struct {
	FPR         float64 `json:"fpr"` // asked for
	Threshold   float64 `json:"threshold"`
	AchievedFPR float64 `json:"achievedFPR"`
	FPRLow      float64 `json:"fprLow"`
	FPRHigh     float64 `json:"fprHigh"`
	TPR         float64 `json:"tpr"`
	TPRLow      float64 `json:"tprLow"`
	TPRHigh     float64 `json:"tprHigh"`
	Reachable   bool    `json:"reachable"` // whether so few rows can show the rate at all
	Note        string  `json:"note,omitempty"`
}

// Point is a point of a ROC curve.
type Point struct {
	FPR float64 `json:"fpr"`
	TPR float64 `json:"tpr"`
}
