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
	// BandColumn is the column whose values divide the rows into Bands, if any.
	BandColumn string            `json:"bandColumn,omitempty"`
	Bands      []ScoreEvaluation `json:"bands,omitempty"` // by band, ascending, then score; Group is the band
	Confounds  []Confound        `json:"confounds,omitempty"`
	Transfers  []Transfer        `json:"transfers,omitempty"` // by score, then rate
}

// Confound says how well a trivial feature of a column, such as the length of a text,
// tells the classes apart on its own. What it can do, a score may be doing.
type Confound struct {
	Column  string  `json:"column"`
	Feature string  `json:"feature"`
	AUROC   float64 `json:"auroc"` // of whichever direction separates, 0.5 or more
	Low     float64 `json:"low"`   // 95 % interval (DeLong)
	High    float64 `json:"high"`
	Less    bool    `json:"less,omitempty"` // the positive class has less of it
	// Group is where the feature separates best if there are groups, and GroupAUROC how well.
	Group      string  `json:"group,omitempty"`
	GroupAUROC float64 `json:"groupAUROC,omitempty"`
}

// Transfer says what thresholds chosen on one group's negative rows do to another's:
// counts are [from][to], in the order of Groups.
type Transfer struct {
	Score          string    `json:"score"`
	FPR            float64   `json:"fpr"` // asked for
	Groups         []string  `json:"groups"`
	Thresholds     []float64 `json:"thresholds"`
	Negatives      []int     `json:"negatives"` // rows of each group
	Positives      []int     `json:"positives"`
	FalsePositives [][]int   `json:"falsePositives"`
	TruePositives  [][]int   `json:"truePositives"`
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
