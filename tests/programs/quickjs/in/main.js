// Words of a text: counted, indexed, checked; with generators, classes, regular expressions, BigInt and typed arrays.
import * as std from "qjs:std";

function* words(text) {
    for (const { 0: word, index } of text.matchAll(/\p{L}+('\p{L}+)?/gu)) yield { word: word.toLowerCase(), index };
}

class Index extends Map {
    #total = 0;
    note({ word, index }) {
        this.#total++;
        this.set(word, [...(this.get(word) ?? []), index]);
    }
    get total() { return this.#total; }
    most(count) { return [...this].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1)).slice(0, count); }
}

function adler32(bytes) {
    let [a, b] = [1, 0];
    for (const byte of bytes) { a = (a + byte) % 65521; b = (b + a) % 65521; }
    return ((b << 16) | a) >>> 0;
}

const factorial = n => n < 2n ? 1n : n * factorial(n - 1n);
const text = std.loadFile("/text.txt");
const index = new Index();
for (const word of words(text)) index.note(word);
const numbers = Float64Array.from({ length: 2000 }, (_, i) => Math.sin(i) * 1000);
const report = {
    total: index.total,
    distinct: index.size,
    most: Object.fromEntries(index.most(4).map(([word, places]) => [word, places.length])),
    last: index.get("zebra"),
    adler32: adler32(Uint8Array.from(text, letter => letter.codePointAt(0) & 255)).toString(16),
    factorial: String(factorial(41n)),
    sorted: [...numbers.sort().filter((_, i) => i % 500 === 0)].map(x => x.toFixed(6)),
    replaced: text.split("\n")[0].replace(/(?<first>\w+) (?<second>\w+)/, "$<second> $<first>"),
};
const file = std.open("/report.json", "w");
file.puts(JSON.stringify(report, null, 1) + "\n");
file.close();
print(`${index.total} words, ${index.size} distinct`);
try {
    null.length;
} catch (error) {
    print(error.name, error.message);
}
std.exit(report.total % 256);
