"""Write short texts with an instruction-tuned model, as training text for the pocket model.

The teacher is a GGUF file (SmolLM2-135M-Instruct, Apache-2.0, was used). Each
text answers one request: a form (news report, story, abstract, essay, ...) times
a topic. The output is JSON lines of {"request", "temperature", "text"}.
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, GgufConfig
from transformers.cache_utils import DynamicLayer

FORMS = [
    "Write a news report of about 150 words about {}.",
    "Write a short news article about {}. Start with the most important fact.",
    "You are a reporter. Report what happened yesterday concerning {}.",
    "Write a local news item with quotes from two people about {}.",
    "Summarise the latest developments in {} for a newspaper.",
    "Write a short story about {}.",
    "Write the opening scene of a story that involves {}.",
    "Tell a story in the first person about {}. Use dialogue.",
    "Write a dark, surprising story in which {} matters.",
    "Continue a tale for adults: it begins on a cold morning with {}.",
    "Write the abstract of a scientific paper on {}.",
    "Describe the methods and results of a study about {}.",
    "As a doctor, explain what is known about {} in a few sentences.",
    "Does {} affect people's health? Answer in one paragraph.",
    "Give a short expert answer about the causes and effects of {}.",
    "Write a short essay about {} with an introduction and a conclusion.",
    "Write an essay that argues for and against {}.",
    "Explain {} to a student.",
    "Write an encyclopedia entry about {}.",
    "Write a blog post about {}.",
    "Give your opinion on {} in two paragraphs.",
    "Write a letter to a friend that mentions {}.",
    "Write a review of a book about {}.",
    "Compare two views of {}.",
]
TOPICS = [
    "a flooded village", "a bus strike", "a new hospital", "a football manager", "the price of bread",
    "a lost dog", "an election in a small country", "a bank robbery", "a school closing", "a wildfire",
    "a missing climber", "a charity run", "a court case about a contract", "a tennis final",
    "a railway line", "the arrest of a fraudster", "an airline's safety record", "a new vaccine",
    "an old lighthouse", "a broken clock", "the last train", "a talking crow", "two sisters",
    "a city under the sea", "a soldier coming home", "a machine that remembers", "an empty house",
    "a stolen painting", "the end of the world", "a ghost who cannot leave", "a king without a crown",
    "a spaceship's cook", "a bargain with the devil", "time travel", "a village where nobody sleeps",
    "high blood pressure", "sleep in older adults", "antibiotic resistance", "surgery after a stroke",
    "exercise during pregnancy", "screening for cancer", "childhood asthma", "vitamin D",
    "pain after an operation", "depression in nurses", "diabetes and diet", "hospital infections",
    "knee injuries", "smoking and bone healing", "gene expression in mice", "liver transplants",
    "soil bacteria", "ocean currents", "coral reefs", "battery materials", "graph algorithms",
    "neural networks", "urban traffic", "the migration of birds", "earthquake prediction",
    "school uniforms", "space exploration", "working from home", "social media", "public libraries",
    "friendship", "the causes of war", "recycling", "learning a second language", "animal testing",
    "the death penalty", "advertising to children", "globalisation", "gender equality at work",
    "museums", "tourism", "fast food", "homework", "the internet and privacy", "nuclear energy",
    "the Roman roads", "the printing press", "jazz", "chess", "the river Danube", "tea", "volcanoes",
    "medieval castles", "bicycles", "the history of maps", "a famous composer", "glass making",
    "a farmer and her tractor", "a prison riot", "a power cut", "the housing market", "a royal visit",
    "a rugby player's injury", "a factory moving abroad", "online shopping", "a film festival",
    "the police and a protest", "a ferry accident", "fishing quotas", "a young inventor",
    "a detective who is afraid of cats", "a letter that arrives too late", "a wizard's exam",
    "the first winter on Mars", "a robot gardener", "a pianist losing her hearing", "a long marriage",
]


def requests(tokenizer, count, seed):
    """Chat prompts as token ids, every form with every topic, in a random order."""
    pairs = [form.format(topic) for form in FORMS for topic in TOPICS]
    random.Random(seed).shuffle(pairs)
    for text in pairs[:count]:
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False)
        yield text, chat


def equal_length_groups(prompts, rows):
    """Groups of prompts with one token count each, so that no batch needs padding."""
    by_length = {}
    for prompt in prompts:
        group = by_length.setdefault(len(prompt[1]), [])
        group.append(prompt)
        if len(group) == rows:
            yield by_length.pop(len(prompt[1]))
    yield from by_length.values()


class FixedLayer(DynamicLayer):
    """Keys and values of one layer in memory taken once: the default copies all of it every step."""

    def __init__(self, limit):
        super().__init__()
        self.limit, self.length = limit, 0

    def update(self, key_states, value_states, *args, **kwargs):
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            rows, heads, _, width = key_states.shape
            self.buffers = [state.new_empty(rows, heads, self.limit, width)
                            for state in (key_states, value_states)]
        first, self.length = self.length, self.length + key_states.shape[2]
        for buffer, state in zip(self.buffers, (key_states, value_states)):
            buffer[:, :, first:self.length] = state
        self.keys, self.values = (buffer[:, :, :self.length] for buffer in self.buffers)
        return self.keys, self.values


@torch.inference_mode()
def sample(model, prompts, temperatures, limit, end):
    """Token ids of one answer a prompt, sampled from the whole distribution."""
    ids = torch.tensor(prompts)
    answers = [[] for _ in prompts]
    open_rows = set(range(len(prompts)))
    cache = DynamicCache(config=model.config)
    cache.layers = [FixedLayer(len(prompts[0]) + limit) for _ in cache.layers]
    for _ in range(limit):
        output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        probabilities = torch.softmax(output.logits[:, -1].float() / temperatures[:, None], dim=-1)
        ids = torch.multinomial(probabilities, 1)
        for row in list(open_rows):
            token = ids[row].item()
            if token == end:
                open_rows.remove(row)
            else:
                answers[row].append(token)
        if len(open_rows) <= len(prompts) // 8:
            break
    return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gguf", type=Path, required=True, help="the teacher, one GGUF file")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to write")
    parser.add_argument("--texts", type=int, default=len(FORMS) * len(TOPICS))
    parser.add_argument("--rows", type=int, default=64, help="texts a batch")
    parser.add_argument("--limit", type=int, default=300, help="tokens a text at most")
    parser.add_argument("--minutes", type=float, default=1e9, help="start no batch after this time")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    place = {"pretrained_model_name_or_path": arguments.gguf.parent, "gguf_file": arguments.gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = AutoModelForCausalLM.from_pretrained(
        **place, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32).eval()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")

    started, tokens = time.time(), 0
    prompts = requests(tokenizer, arguments.texts, arguments.seed)
    with open(arguments.out, "w", encoding="utf-8") as out:
        for group in equal_length_groups(prompts, arguments.rows):
            if time.time() - started > 60 * arguments.minutes:
                break
            temperatures = torch.empty(len(group)).uniform_(0.7, 1.0)
            answers = sample(model, [ids for _, ids in group], temperatures, arguments.limit, end)
            for (request, _), temperature, answer in zip(group, temperatures.tolist(), answers):
                text = tokenizer.decode(answer, skip_special_tokens=True).strip()
                out.write(json.dumps({"request": request, "temperature": round(temperature, 3),
                                      "text": text}, ensure_ascii=False) + "\n")
                tokens += len(answer)
            out.flush()
            print(f"tokens {tokens}, {tokens / (time.time() - started):.0f} a second", flush=True)


if __name__ == "__main__":
    main()
