// Runs pandoc in node as program_hosts.py does: node program_node.mjs MODULE DIRS HOST OPTIONS
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { WASI } from "node:wasi";

const [path, dirs, , options] = process.argv.slice(2);
const preopens = JSON.parse(dirs);
const wasi = new WASI({ version: "preview1", args: [path], preopens });
const { exports } = await WebAssembly.instantiate(new WebAssembly.Module(readFileSync(path)), wasi.getImportObject());

function put(bytes) {
    const address = exports.malloc(bytes.length + 1);
    new Uint8Array(exports.memory.buffer).set([...bytes, 0], address);
    return address;
}

const words = (...numbers) => new Uint8Array(Uint32Array.from(numbers).buffer);
const text = readFileSync(join(preopens["/"], options));
wasi.initialize({ exports: { memory: exports.memory } });
exports.__wasm_call_ctors();
const argv = ["pandoc.wasm", "+RTS", "-H64m", "-RTS"].map(word => put(new TextEncoder().encode(word)));
exports.hs_init_with_rtsopts(put(words(argv.length)), put(words(put(words(...argv, 0)))));
exports.convert(put(text), text.length);
