"""Writes the sample of PubMedQA and the recorded answers of this example.

    python make_sample.py ori_pqal.json data/samples/pubmedqa.jsonl graphs/examples/bonito-pubmedqa/answers.jsonl

The sample is the 24 shortest contexts of 80 words or more. An answer is what a model
would say that knew the data set: its question and its decision, in Bonito's form. Four
are spoilt in the ways in which models spoil them.
"""
import json
import sys

labelled, sample, answers = sys.argv[1:]
with open(labelled, encoding="utf-8") as f:
    rows = [(key, " ".join(v["CONTEXTS"]), v["QUESTION"], v["final_decision"]) for key, v in json.load(f).items()]
rows = sorted((r for r in rows if len(r[1].split()) >= 80), key=lambda r: (len(r[1]), r[0]))[:24]

with open(sample, "w", encoding="utf-8") as f:
    for key, text, question, decision in rows:
        print(json.dumps({"id": key, "text": text, "question": question, "decision": decision}, ensure_ascii=False), file=f)

with open(answers, "w", encoding="utf-8") as f:
    for i, (key, text, question, decision) in enumerate(rows):
        prompt = f"<|tasktype|>\nyes-no question answering\n<|context|>\n{text.strip()}\n<|task|>\n"
        completion, finish = f"{{{{context}}}}\n\n{question}\n<|pipe|>\n{decision}", "stop"
        if i == 5:
            completion = completion.replace("<|pipe|>", "Answer:")
        if i == 11:
            completion += "\n<|pipe|>\nyes"
        if i == 17:
            completion, finish = completion[:40], "length"
        if i == 23:
            completion = ""
        print(json.dumps({"prompt": prompt, "draw": 0, "completion": completion, "finish_reason": finish}, ensure_ascii=False), file=f)
