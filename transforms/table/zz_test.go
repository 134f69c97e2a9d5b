package table
import ("testing";"fmt";"github.com/google/cel-go/cel";"github.com/google/cel-go/ext";"github.com/google/cel-go/common/types";"github.com/google/cel-go/common/ast")
type act struct{}
func (act) ResolveName(n string)(any,bool){ if n=="n"||n=="@odd x"{return types.Int(4),true}; if n=="score"{return types.Double(1.5),true};return nil,false}
func (act) Parent() cel.Activation {return nil}
func bench(b *testing.B,e string,opts ...cel.ProgramOption){
 env,_:=cel.NewEnv(cel.CrossTypeNumericComparisons(true),ext.Strings(),ext.Math(),ext.Lists(),ext.Sets(),cel.Variable("@odd x",cel.NullableType(cel.IntType)),
  cel.Variable("score",cel.NullableType(cel.DoubleType)),cel.Variable("n",cel.NullableType(cel.IntType)))
 a,iss:=env.Compile(e); if iss.Err()!=nil{b.Fatal(iss.Err())}
 p,err:=env.Program(a,opts...); if err!=nil{b.Fatal(err)}
 b.ReportAllocs()
 var in cel.Activation=act{}
 for b.Loop(){ if _,_,err:=p.Eval(in);err!=nil{b.Fatal(err)}}
}
func BenchmarkPlain(b *testing.B){bench(b,"score < 2.5 && n > 3")}
func BenchmarkOpt(b *testing.B){bench(b,"score < 2.5 && n > 3",cel.EvalOptions(cel.OptOptimize))}
func BenchmarkCost(b *testing.B){bench(b,"score < 2.5 && n > 3",cel.CostLimit(100000))}
func TestZZ(t *testing.T){
 env,err:=cel.NewEnv(cel.CrossTypeNumericComparisons(true),cel.Variable("@odd x",cel.NullableType(cel.IntType)),cel.Variable("n",cel.NullableType(cel.IntType)),cel.Variable("row",cel.IntType), ext.Lists())
 if err!=nil{t.Fatal(err)}
 a,iss:=env.Parse("has(row.n) && row['odd x'] + row.n > [1].map(row, row)[0]"); _=iss
 fac:=ast.NewExprFactory()
 var walk func(e ast.Expr)
 walk=func(e ast.Expr){ fmt.Println(e.Kind(),e.ID()); switch e.Kind(){case ast.CallKind: c:=e.AsCall();fmt.Println(c.FunctionName()); if c.FunctionName()=="_[_]" {fmt.Println(c.Args()[1].AsLiteral());if s,ok:=c.Args()[1].AsLiteral().(types.String);ok{e.SetKindCase(fac.NewIdent(e.ID(),"@"+string(s)));return}}
   for _,x:=range c.Args(){walk(x)}
  case ast.SelectKind: fmt.Println(e.AsSelect().IsTestOnly(),e.AsSelect().FieldName()); if e.AsSelect().IsTestOnly(){e.SetKindCase(fac.NewLiteral(e.ID(),types.True))} else {e.SetKindCase(fac.NewIdent(e.ID(),"n"))}
 }}
 walk(a.NativeRep().Expr())
 c,iss:=env.Check(a); fmt.Println(iss.Err()); p,err:=env.Program(c); fmt.Println(err); fmt.Println(p.Eval(act{}))
 for id,r:=range c.NativeRep().ReferenceMap(){fmt.Println(id,r.Name,r.OverloadIDs)}
 a,iss=env.Compile("lists.range(100000).all(x, lists.range(100000).all(y, x+y >= 0))"); fmt.Println(iss.Err())
 p,err=env.Program(a,cel.CostLimit(50_000_000)); _,d,err:=p.Eval(act{}); fmt.Println(*d.ActualCost(),err)
}
