/** Two programs that compute what the API answers, from the files of a bundle alone; tests compare them with the service. */

const PYTHON = String.raw`"""Classify texts as the service does. Usage: python3 classify.py TEXT [TEXT ...]; needs Python 3.8, no package.

A text is composed (NFC) and lower-cased. Words are runs of letters, marks, digits and '_'; in scripts without blanks every
letter is one. Each n-gram lies in the column of its hash; each block of columns has length 1. Columns are weighted, the row
is brought to one length, and a linear layer and a softmax follow.
"""
import array, json, math, os, sys, unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))

def read(name, mode="r"):
    with open(os.path.join(HERE, *name.split("/")), mode, **({} if "b" in mode else {"encoding": "utf-8"})) as file:
        return json.load(file) if mode == "r" else file.read()

ALONE = [(0x0E01, 0x0E3A), (0x0E40, 0x0E5B), (0x0E81, 0x0EDF), (0x1000, 0x109F), (0x1780, 0x17F9), (0x2E80, 0x2FD5), (0x3005, 0x3007),
         (0x3021, 0x3029), (0x3038, 0x303B), (0x3041, 0x3096), (0x309D, 0x309F), (0x30A1, 0x30FA), (0x30FD, 0x30FF), (0x31F0, 0x31FF),
         (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAD9), (0xFF66, 0xFF6F), (0xFF71, 0xFF9D), (0x20000, 0x323AF)]
BLANK = set("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff") | {chr(c) for c in range(0x2000, 0x200B)}

def is_word(c):
    return c == "_" or unicodedata.category(c)[0] in "LMN"

def is_alone(c):
    return any(low <= ord(c) <= high for low, high in ALONE)

def analyse(text):
    text = unicodedata.normalize("NFC", text).lower()
    words, parts, word, part = [], [], "", ""
    for c in text + " ":
        blank = c in BLANK
        if word and (blank or not is_word(c) or is_alone(c)):
            words.append(word)
            word = ""
        if blank:
            if part:
                parts.append(part)
            part = ""
            continue
        part += c
        if is_word(c) and is_alone(c):
            words.append(c)
        elif is_word(c):
            word += c
    return words, parts

def column(text, seed, columns):
    h = 2166136261 ^ seed
    for c in text:
        h = ((h ^ ord(c)) * 16777619) & 0xFFFFFFFF
    h ^= h >> 16
    h = (h * 0x85EBCA6B) & 0xFFFFFFFF
    h ^= h >> 13
    h = (h * 0xC2B2AE35) & 0xFFFFFFFF
    return (h ^ (h >> 16)) % columns

def ngrams(block, words, parts):
    if block["of"] == "words":
        for n in range(block["min"], block["max"] + 1):
            for i in range(len(words) - n + 1):
                yield " ".join(words[i:i + n])
        return
    for part in parts:
        padded = " " + part + " "
        if len(padded) < block["min"]:
            yield padded
        for n in range(block["min"], block["max"] + 1):
            for i in range(len(padded) - n + 1):
                yield padded[i:i + n]

def features(text, blocks):
    words, parts = analyse(text)
    row, start = {}, 0
    for number, block in enumerate(blocks):
        found = {start + column(gram, number + 1, block["columns"]) for gram in ngrams(block, words, parts)}
        for place in found:
            row[place] = 1 / math.sqrt(len(found))
        start += block["columns"]
    return row

class Model:
    def __init__(self):
        self.labels, self.blocks = read("labels.json"), read("backbone/ngrams.json")["blocks"]
        shape, data, offset = read("head/sparse.json"), read("head/sparse.bin", "rb"), 0
        def numbers(kind, count):
            nonlocal offset
            out = array.array(kind)
            out.frombytes(data[offset:offset + count * out.itemsize])
            offset += count * out.itemsize
            if sys.byteorder == "big":
                out.byteswap()
            return out
        free = self.free = shape["classes"] - 1
        self.scale, self.bias = numbers("f", free), numbers("f", free)
        numbers("f", shape["dense"] * free)
        bits = numbers("I", (shape["columns"] + 31) // 32)
        self.weights, self.kernel = numbers("H", shape["used"]), numbers("h", shape["used"] * free)
        used = [word * 32 + bit for word, value in enumerate(bits) for bit in range(32) if value >> bit & 1]
        self.place = {c: i for i, c in enumerate(used)}
        self.unseen, self.length = shape["unseenWeight"], shape["length"]

    def probabilities(self, text):
        sums, square = [0.0] * self.free, 0.0
        for c, value in features(text, self.blocks).items():
            place = self.place.get(c)
            value *= self.unseen if place is None else self.weights[place]
            square += value * value
            if place is not None:
                for k in range(self.free):
                    sums[k] += value * self.kernel[place * self.free + k]
        length = self.length / math.sqrt(square) if square else 0.0
        scores = [0.0] + [self.bias[k] + sums[k] * length * self.scale[k] for k in range(self.free)]
        top = max(scores)
        parts = [math.exp(s - top) for s in scores]
        return {label: p / sum(parts) for label, p in zip(self.labels, parts)}

if __name__ == "__main__":
    model = Model()
    for text in sys.argv[1:]:
        answer = model.probabilities(text)
        print(json.dumps(dict(sorted(answer.items(), key=lambda row: -row[1])), ensure_ascii=False))
`;

const JAVASCRIPT = String.raw`// Classify texts as the service does. Usage: node classify.mjs TEXT [TEXT ...]; needs no package.
// classify.py beside it says in words what is computed.
import { readFileSync } from 'node:fs';
import { argv, stdout } from 'node:process';

const read = (name) => readFileSync(new URL(name, import.meta.url));
const json = (name) => JSON.parse(read(name).toString('utf8'));

const WORD = /[\p{L}\p{M}\p{N}_]/u;
const ALONE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

function analyse(text) {
  const [words, parts] = [[], []];
  let [word, part] = ['', ''];
  for (const c of text.normalize('NFC').toLowerCase() + ' ') {
    const blank = /\s/u.test(c);
    const isWord = !blank && WORD.test(c);
    const alone = isWord && ALONE.test(c);
    if (word !== '' && (!isWord || alone)) {
      words.push(word);
      word = '';
    }
    if (blank) {
      if (part !== '') parts.push(part);
      part = '';
      continue;
    }
    part += c;
    if (alone) words.push(c);
    else if (isWord) word += c;
  }
  return { words, parts: parts.map((each) => [' ', ...each, ' ']) };
}

function columnOf(text, seed, columns) {
  let h = 2166136261 ^ seed;
  for (const c of text) h = Math.imul(h ^ c.codePointAt(0), 16777619);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) % columns;
}

function* ngrams({ of, min, max }, { words, parts }) {
  for (const [list, between] of of === 'words' ? [[words, ' ']] : parts.map((part) => [part, ''])) {
    if (of === 'characters' && list.length < min) yield list.join('');
    for (let n = min; n <= max; n += 1) {
      for (let i = 0; i + n <= list.length; i += 1) yield list.slice(i, i + n).join(between);
    }
  }
}

function features(text, blocks) {
  const [analysed, row] = [analyse(text), new Map()];
  let start = 0;
  for (const [number, block] of blocks.entries()) {
    const found = new Set();
    for (const gram of ngrams(block, analysed)) found.add(start + columnOf(gram, number + 1, block.columns));
    for (const column of found) row.set(column, 1 / Math.sqrt(found.size));
    start += block.columns;
  }
  return row;
}

export class Model {
  constructor() {
    this.labels = json('labels.json');
    this.blocks = json('backbone/ngrams.json').blocks;
    const shape = json('head/sparse.json');
    const bytes = new Uint8Array(read('head/sparse.bin')).buffer;
    let offset = 0;
    const numbers = (Kind, count) => {
      const found = new Kind(bytes, offset, count);
      offset += found.byteLength;
      return found;
    };
    const free = (this.free = shape.classes - 1);
    this.scale = numbers(Float32Array, free);
    this.bias = numbers(Float32Array, free);
    numbers(Float32Array, shape.dense * free);
    const bits = numbers(Uint32Array, Math.ceil(shape.columns / 32));
    this.weights = numbers(Uint16Array, shape.used);
    this.kernel = numbers(Int16Array, shape.used * free);
    this.place = new Map();
    for (let c = 0; c < shape.columns; c += 1) if ((bits[c >>> 5] >>> (c & 31)) & 1) this.place.set(c, this.place.size);
    this.unseen = shape.unseenWeight;
    this.length = shape.length;
  }

  probabilities(text) {
    const sums = new Float64Array(this.free);
    let square = 0;
    for (const [column, value] of features(text, this.blocks)) {
      const place = this.place.get(column);
      const weighted = value * (place === undefined ? this.unseen : this.weights[place]);
      square += weighted ** 2;
      if (place !== undefined) sums.forEach((_, k) => { sums[k] += weighted * this.kernel[place * this.free + k]; });
    }
    const length = square > 0 ? this.length / Math.sqrt(square) : 0;
    const scores = [0, ...sums].map((sum, k) => (k === 0 ? 0 : this.bias[k - 1] + sum * length * this.scale[k - 1]));
    const top = Math.max(...scores);
    const parts = scores.map((score) => Math.exp(score - top));
    const total = parts.reduce((a, b) => a + b);
    return Object.fromEntries(this.labels.map((label, k) => [label, parts[k] / total]));
  }
}

if (argv[1] && import.meta.url.endsWith(argv[1].split(/[\\/]/).at(-1))) {
  const model = new Model();
  for (const text of argv.slice(2)) {
    const rows = Object.entries(model.probabilities(text)).sort((a, b) => b[1] - a[1]);
    stdout.write(JSON.stringify(Object.fromEntries(rows)) + '\n');
  }
}
`;

export function referenceFiles(): [name: string, text: string][] {
  return [
    ['classify.py', PYTHON],
    ['classify.mjs', JAVASCRIPT],
  ];
}
