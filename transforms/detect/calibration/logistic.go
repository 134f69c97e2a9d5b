package calibration

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// leastOfClass is how many references of a class a combination is fitted on at
// the least.
const leastOfClass = 5

// ridge is the penalty on standardised weights, in units of one observation's
// curvature: it keeps scores that are nearly the same from weights that cancel,
// and weights finite where the classes separate.
const ridge = 1.0

// logistic fits the log-odds of a machine by ridge-penalised logistic regression,
// each class weighing the same in total (Newton's method: Hastie, Tibshirani and
// Friedman, The Elements of Statistical Learning, 4.4.1). Weights are for the
// scores as they are, not standardised.
func logistic(references []Reference) (weights []float64, intercept float64, err error) {
	var humans, machines int
	for _, r := range references {
		if r.Human {
			humans++
		} else {
			machines++
		}
	}
	if humans < leastOfClass || machines < leastOfClass {
		return nil, 0, fmt.Errorf("a combination of scores is fitted on half of the references: %d human and %d machine rows are in it, want %d or more of each", humans, machines, leastOfClass)
	}
	z, centre, scale := standardise(references)
	rows, columns := z.Dims()
	total := float64(rows)
	weight := func(i int) float64 {
		if references[i].Human {
			return total / 2 / float64(humans)
		}
		return total / 2 / float64(machines)
	}

	beta := mat.NewVecDense(columns, nil) // the first is the intercept
	for range 100 {
		gradient := mat.NewVecDense(columns, nil)
		hessian := mat.NewSymDense(columns, nil)
		for j := 1; j < columns; j++ {
			gradient.SetVec(j, -ridge*beta.AtVec(j))
			hessian.SetSym(j, j, ridge)
		}
		for i := range rows {
			row := z.RowView(i)
			p := 1 / (1 + math.Exp(-mat.Dot(row, beta)))
			y := 1.0
			if references[i].Human {
				y = 0
			}
			gradient.AddScaledVec(gradient, weight(i)*(y-p), row)
			hessian.SymRankOne(hessian, weight(i)*max(p*(1-p), 1e-10), row)
		}
		var factor mat.Cholesky
		if !factor.Factorize(hessian) {
			return nil, 0, errors.New("the scores of the references do not vary enough to be combined")
		}
		var step mat.VecDense
		if err := factor.SolveVecTo(&step, gradient); err != nil {
			return nil, 0, fmt.Errorf("the scores cannot be combined: %w", err)
		}
		beta.AddVec(beta, &step)
		if mat.Norm(&step, math.Inf(1)) < 1e-10 {
			break
		}
	}
	intercept = beta.AtVec(0)
	weights = make([]float64, columns-1)
	for j := range weights {
		weights[j] = beta.AtVec(j+1) / scale[j]
		intercept -= weights[j] * centre[j]
	}
	return weights, intercept, nil
}

// standardise gives a column of ones and the scores with mean 0 and standard
// deviation 1 over all references. A constant score has scale 1 and says nothing.
func standardise(references []Reference) (z *mat.Dense, centre, scale []float64) {
	n, columns := len(references), len(references[0].Values)
	z = mat.NewDense(n, columns+1, nil)
	centre, scale = make([]float64, columns), make([]float64, columns)
	for j := range columns {
		for _, r := range references {
			centre[j] += r.Values[j] / float64(n)
		}
		for _, r := range references {
			scale[j] += (r.Values[j] - centre[j]) * (r.Values[j] - centre[j]) / float64(n)
		}
		if scale[j] = math.Sqrt(scale[j]); scale[j] == 0 {
			scale[j] = 1
		}
		for i, r := range references {
			z.Set(i, j+1, (r.Values[j]-centre[j])/scale[j])
		}
	}
	for i := range n {
		z.Set(i, 0, 1)
	}
	return z, centre, scale
}
