"""Golden rankings of SciFact: bm25s with Snowball's own stemmer, judged by trec_eval.

    pip install bm25s==0.3.16 PyStemmer==2.2.0.3 pytrec-eval-terrier==0.5.11 regex
    python make_golden.py ../../../../data/samples/scifact > scifact.json
"""
import csv, gzip, json, sys
import bm25s, numpy as np, pytrec_eval, regex, Stemmer

STOP = set("a an and are as at be but by for if in into is it no not of on or such that the their then there these "
           "they this to was will with".split())
WORD = regex.compile(r"[\p{L}\p{M}\p{Nd}]+(?:(?:(?<=\p{L})['’](?=\p{L})|(?<=\p{Nd})[.,](?=\p{Nd}))[\p{L}\p{M}\p{Nd}]+)*")
stemmer = Stemmer.Stemmer("english")


def analyze(text):
    words = (w.lower().replace("’", "'") for w in WORD.findall(text))
    return [stemmer.stemWord(w) for w in words if w not in STOP]


folder = sys.argv[1]
corpus = [json.loads(line) for line in gzip.open(folder + "/corpus.jsonl.gz", "rt")]
queries = [json.loads(line) for line in open(folder + "/queries.jsonl")]
qrels = {}
for row in csv.DictReader(open(folder + "/qrels/test.tsv"), delimiter="\t"):
    qrels.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])

texts = [analyze(d["title"] + " " + d["text"]) for d in corpus]
index = bm25s.BM25(method="lucene", k1=0.9, b=0.4, dtype="float64")
index.index(texts, show_progress=False)
golden, run = [], {}
for q in queries:
    terms = [t for t in analyze(q["text"]) if t in index.vocab_dict]
    scores = index.get_scores(terms)
    best = [int(i) for i in np.argsort(-scores, kind="stable")[:100] if scores[i] > 0]
    run[q["_id"]] = {corpus[i]["_id"]: 1.0 / (rank + 1) for rank, i in enumerate(best)}
    golden.append({"query": q["_id"], "terms": terms, "texts": best[:10], "scores": [float(scores[i]) for i in best[:10]]})
measured = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.100"}).evaluate(run)
mean = lambda m: sum(v[m] for v in measured.values()) / len(qrels)
json.dump({"nDCG@10": mean("ndcg_cut_10"), "R@100": mean("recall_100"), "searches": golden[::10],
           "analyzed": [{"text": t, "terms": analyze(t)} for t in [
               "The U.S.A.'s 1,000 genomes, 3.5% of 12. don’t", "Naïve Größe IL-6/TNF-α CD8+ e.g. p53's", "", "an, the. IT", "Ångström’s mice' running happily generously"]]},
          sys.stdout, indent=1)
