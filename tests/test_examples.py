"""The programs in examples/ from the command line, in every mode."""
import collections
import pathlib
import subprocess
import sys

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def run(mode, program, *arguments, text=""):
    return subprocess.run([sys.executable, "-m", "pyjit_wasm", "run", "--mode", mode, EXAMPLES / program, *arguments],
                          input=text, capture_output=True, text=True, timeout=100, check=False)


def test_hello(mode):
    done = run(mode, "hello.wasm", "one", "two words")
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout == "Hello from WebAssembly!\nargument 1: one\nargument 2: two words\n"


def test_wordcount(mode):
    names = ["seldom", "rare", "usual", "often", "always"]
    words = [name for count, name in enumerate(names, 1) for _ in range(count ** 3)]
    text = "\n".join(" ".join(words[start:start + 9]) for start in range(0, len(words), 9)) + "\n"
    done = run(mode, "wordcount.wasm", "3", text=text)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, *table = done.stdout.splitlines()
    assert first == f"{len(text)} bytes, {text.count(chr(10))} lines, {len(words)} words, 5 of them different"
    assert f"mean {sum(map(len, words)) / len(words):.3f}" in second
    wanted = [[str(count), f"{100 * count / len(words):.2f}%", word]
              for word, count in collections.Counter(words).most_common(3)]
    assert [line.split() for line in table] == wanted


def test_wordcount_with_a_wrong_argument(mode):
    done = run(mode, "wordcount.wasm", "none")
    assert done.returncode == 2 and done.stderr
