// counts words of a generated text, sorts them, and prints the ten most frequent
let seed = 7, counts = new Map();
const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
const syllables = ["ka", "lo", "mi", "ne", "ru", "sa", "ti", "wo"];
let text = "";
for (let i = 0; i < 60000; i++)
    text += syllables[Math.floor(random() ** 2 * 8)] + syllables[Math.floor(random() * 8)] + (random() < 0.6 ? " " : "");
for (const word of text.split(/\s+/)) counts.set(word, (counts.get(word) || 0) + 1);
const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
for (const [word, count] of sorted.slice(0, 3)) console.log(word, count);
