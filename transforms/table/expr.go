package table

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

const (
	maxSource = 64 << 10 // characters of an expression
	maxDepth  = 100      // nesting of an expression
	maxTurns  = 1e6      // turns of all loops of an expression for one row
	maxRange  = 10_000   // numbers of a lists.range
)

// language compiles expressions over the columns of a schema.
type language struct {
	schema *data.Schema
	env    *cel.Env
	slots  map[string]slot
	// derived are columns that are made beside the expressions, which they
	// cannot use; known for the sake of messages.
	derived []string
}

// slot is what a variable of an expression stands for: a column's value, or
// whether it has one.
type slot struct {
	column  int
	present bool
}

// functions is the language without columns, which takes far longer to make than
// adding the columns of a schema.
var functions = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(maxDepth),
		ext.Strings(), ext.Math(), ext.Sets(), ext.Lists(ext.ListsMaxRangeSize(maxRange)),
	)
})

func newLanguage(s *data.Schema) (*language, error) {
	base, err := functions()
	if err != nil {
		return nil, err
	}
	l := &language{schema: s, slots: map[string]slot{}}
	var options []cel.EnvOption
	for i, f := range s.Fields() {
		t, readable := celType(f.Type)
		if !readable {
			continue
		}
		for _, name := range []string{f.Name, hidden(f.Name)} {
			l.slots[name] = slot{column: i}
			options = append(options, cel.Variable(name, t))
		}
		l.slots[presence(f.Name)] = slot{column: i, present: true}
		options = append(options, cel.Variable(presence(f.Name), cel.BoolType))
	}
	env, err := base.Extend(options...)
	if err != nil {
		return nil, fmt.Errorf("columns %s: %w", s, err)
	}
	l.env = env
	return l, nil
}

// expression is a compiled expression. It may be used by several goroutines.
type expression struct {
	source  string
	result  *cel.Type
	columns []int // that it reads, in the order of the schema
	loops   bool
	program cel.Program
	lang    *language
	rows    sync.Pool // of *rowVars
}

// compile checks an expression against the columns. What is wrong comes as a
// *transforms.FieldError at field.
func (l *language) compile(field, source string) (e *expression, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = l.mistake(field, source, fmt.Errorf("cannot be compiled: %v", p))
		}
	}()
	parsed, issues := l.env.Parse(source)
	if issues.Err() != nil {
		return nil, l.mistakes(field, source, issues)
	}
	tree := parsed.NativeRep()
	resolver := rowResolver{schema: l.schema, tree: tree, factory: ast.NewExprFactory()}
	resolver.visit(tree.Expr(), nil)
	if resolver.missing != nil {
		return nil, l.missing(field, source, *resolver.missing)
	}
	checked, issues := l.env.Check(parsed)
	if issues.Err() != nil {
		return nil, l.mistakes(field, source, issues)
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if resolver.loops {
		options = append(options, cel.InterruptCheckFrequency(maxTurns))
	}
	program, err := l.env.Program(checked, options...)
	if err != nil {
		return nil, l.mistake(field, source, err)
	}
	e = &expression{source: source, result: checked.OutputType(), loops: resolver.loops, program: program, lang: l, columns: l.columnsOf(checked)}
	e.rows.New = func() any { return &rowVars{slots: l.slots} }
	return e, nil
}

// columnsOf lists the columns that a checked expression refers to.
func (l *language) columnsOf(checked *cel.Ast) []int {
	used := map[int]bool{}
	for _, r := range checked.NativeRep().ReferenceMap() {
		if s, ok := l.slots[r.Name]; ok && !s.present {
			used[s.column] = true
		}
	}
	var columns []int
	for i := range l.schema.Len() {
		if used[i] {
			columns = append(columns, i)
		}
	}
	return columns
}

// mayBeNull reports whether the result may be null without refusing the row.
func (e *expression) mayBeNull() bool {
	return e.result.IsAssignableType(cel.NullType) &&
		slices.ContainsFunc(e.columns, func(i int) bool { return e.lang.schema.Field(i).Nullable })
}

// eval computes the expression for a row. Its error refuses the row.
func (e *expression) eval(r *data.Record) (ref.Val, error) {
	row := e.rows.Get().(*rowVars)
	row.record = r
	result, err := e.run(row)
	row.record = nil
	e.rows.Put(row)
	if err != nil {
		return nil, e.refusal(r, err)
	}
	return result, nil
}

func (e *expression) run(row *rowVars) (v ref.Val, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	if e.loops {
		v, _, err = e.program.ContextEval(stopped, row)
	} else {
		v, _, err = e.program.Eval(row)
	}
	return v, err
}

// stopped is a context that has ended: loops look at theirs every maxTurns
// turns and so end there, after the same turn in every run.
var stopped = func() context.Context {
	ctx, stop := context.WithCancelCause(context.Background())
	stop(errTurns)
	return ctx
}()

var errTurns = errors.New("too many turns")

// ofTypes matches the errors of operations that got a value they do not take,
// which in a checked expression is a null or comes from a struct or map.
var ofTypes = regexp.MustCompile(`no such overload|types\.Null|null_type`)

// refusal says why a row has no result: a null if there is one to blame.
func (e *expression) refusal(r *data.Record, err error) error {
	if errors.Is(err, errTurns) {
		return transforms.Reject("expression", "%s: its loops take more than %d turns", clip(e.source), int(maxTurns))
	}
	if !ofTypes.MatchString(err.Error()) {
		return transforms.Reject("expression", "%s: %s", clip(e.source), clip(firstLine(err.Error())))
	}
	for _, i := range e.columns {
		if r.Values[i].IsNull() {
			return e.null(i)
		}
	}
	return transforms.Reject("expression", "%s: an operation does not take these values", clip(e.source))
}

// noResult refuses a row for which a result that may not be null is.
func (e *expression) noResult(r *data.Record) error {
	for _, i := range e.columns {
		if r.Values[i].IsNull() {
			return e.null(i)
		}
	}
	return transforms.Reject("null", "%s: the result is null", clip(e.source))
}

func (e *expression) null(column int) error {
	return transforms.Reject("null", "%s: column %q is null", clip(e.source), e.lang.schema.Field(column).Name)
}

// rowVars lends the values of a record to an expression as its variables.
type rowVars struct {
	slots  map[string]slot
	record *data.Record
}

// ResolveName finds the value of a variable.
func (v *rowVars) ResolveName(name string) (any, bool) {
	s, ok := v.slots[name]
	if !ok {
		return nil, false
	}
	value := v.record.Values[s.column]
	if s.present {
		return types.Bool(!value.IsNull()), true
	}
	return toCEL(value, v.record.Schema.Field(s.column).Type), true
}

// Parent is nil: there are no variables but the columns.
func (v *rowVars) Parent() cel.Activation { return nil }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// clip shortens a text for a message.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const most = 80
	for i := range s {
		if i >= most {
			return s[:i] + "…"
		}
	}
	return s
}
