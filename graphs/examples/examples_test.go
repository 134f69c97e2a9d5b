package examples
import ("testing";"path/filepath";"penstock.dev/specs")
func TestLoad(t *testing.T){
 fs,_:=filepath.Glob("*/graph.cue")
 for _,f:=range fs { g,ds:=specs.Load(f,specs.Options{}); t.Log(f,ds); if g!=nil { for _,n:=range g.Nodes {t.Log(n.Name,n.Kind,string(n.Config),n.Inputs)}} }
}
