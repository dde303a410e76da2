// node --no-liftoff node_driver.js <file.wasm> <tiny n> <n>: prints the seconds run(n) takes and its result.
const { readFileSync } = require("fs");

const [file, tiny, n] = process.argv.slice(2);
const { run } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file))).exports;
run(Number(tiny));
const start = process.hrtime.bigint();
const checksum = run(Number(n));
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
console.log(`${seconds} ${checksum}`);
