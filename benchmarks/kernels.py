"""The kernels: names, sizes and expected checksums.

Each `kernels/<name>.c` exports `int64_t run(int32_t n)`, imports nothing and returns a checksum of its work.
A size is (n, checksum). `large` takes wasmtime 0.3 to 1 s, `small` takes wasm3 1 to 2 s (SIMD kernels, which it cannot
run, our interpreter), `tiny` warms up; every function of the kernel runs in each. `long`, where there is one, takes
compiled code 2 s, and is there to see what compiling while the kernel runs costs. The checksums are those of the native build (`build_kernels.py --checksums`).

Each `polybench/<name>.c` is a kernel of PolyBench/C 4.2 at its MEDIUM size, of double precision where PolyBench does
not say otherwise (`deriche` float; `floyd-warshall` and `nussinov` int). It exports `init()`, `kernel()`, `checksum()`,
which returns a double, `run()`, which is both of the first, and `nothing()`; see polybench/polybench.h.
"""
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent / "kernels"
POLYBENCH_DIRECTORY = DIRECTORY.with_name("polybench")


@dataclass(frozen=True)
class Size:
    n: int
    checksum: int


@dataclass(frozen=True)
class Kernel:
    name: str
    large: Size
    small: Size
    tiny: Size
    long: Size | None

    @property
    def simd(self) -> bool:
        """Whether it is written with vectors."""
        return self.name.startswith("simd_")

    @property
    def source(self) -> Path:
        return DIRECTORY / f"{self.name}.c"

    @property
    def wasm(self) -> Path:
        return DIRECTORY / f"{self.name}.wasm"


def _of(name: str, large: tuple[int, int], small: tuple[int, int], tiny: tuple[int, int]) -> Kernel:
    return Kernel(name, Size(*large), Size(*small), Size(*tiny), Size(*LONG[name]) if name in LONG else None)


LONG = {
    "blur": (9600, -6792483452023608071),
    "bytecode": (3850, 2387577076),
    "copy_bytes": (100000, 1341247723958037563),
    "copy_words": (50000, 49499830615724472),
    "crc32": (14000, 1281615274),
    "fib": (44, 701408733),
    "indirect": (230000000, -5565995002423396453),
    "jacobi": (60000, -8646299332448518317),
    "levenshtein": (1500, -3414536891744894371),
    "nbody": (30000000, -4628106528642880004),
    "search": (6000, 9143179312794143787),
    "sha256": (34000, 1005306638631879827),
    "sieve": (2200, -4655153720081200132),
    "tak": (29000, 1180170488864035016),
    "xorshift": (1100000000, 1774884839657024024),
}


KERNELS = [
    _of("ackermann", (900, 7237216753584202898), (180, 8556705584750395111), (2, -525679725561733445)),
    _of("blur", (400, -5840322228791990711), (150, -133607429776315882), (1, 1912331432487188275)),
    _of("bytecode", (2000, 2855364711), (900, 2151539363), (20, 2382238623)),
    _of("collatz", (3000000, 8145698785199438509), (900000, 6757157934059038212), (1000, -5809229326161017617)),
    _of("copy_bytes", (6000, -7798945438887043775), (1200, -7940236287204060655), (2, -11760957102637692)),
    _of("copy_words", (9000, 7559699333158506192), (3500, 2990610494830729961), (4, -5216968130885744900)),
    _of("crc32", (3000, 3234010701), (1600, 1653654329), (2, 181413714)),
    _of("fib", (41, 165580141), (37, 24157817), (10, 55)),
    _of("heapsort", (2000000, -1180446784648158121), (1300000, 6682275224923568191), (1000, -5762651826859620493)),
    _of("indirect", (40000000, 344350772368893521), (35000000, -8554747550140581712), (1000, -8267535666779372791)),
    _of("jacobi", (4000, -7275781145593761902), (400, 157991982247075292), (1, -2860425917350944864)),
    _of("levenshtein", (400, -3028331615727213262), (50, 5980475239224685407), (1, 8630200261344066625)),
    _of("mandelbrot", (1700, 151995210926), (1100, 35564658879), (20, 213682)),
    _of("matmul", (800, 5811721019793867668), (450, -3888752592958578174), (20, -8484471327997055328)),
    _of("matmul_ikj", (950, 8503555556220334053), (450, 5925278446505018115), (20, -8125671780509185077)),
    _of("memmove", (2000000, 1211517291266753294), (3000000, -8746023501048857873), (100, 5347836106169364815)),
    _of("modpow", (3000000, -5563080690520768364), (2300000, 516551723258425081), (100, 6409483123662391031)),
    _of("nbody", (6000000, -4628106469318158902), (1200000, -4628106586170616613), (100, -4628105542730187576)),
    _of("nqueens", (15, 2279184), (14, 365596), (6, 4)),
    _of("quicksort", (5000000, 3289162237341764627), (2500000, 36813032364013300), (1000, -2200102247732362740)),
    _of("search", (1300, 8690748392685733051), (1000, 7854316280177112554), (1, -3322411419423600935)),
    _of("sha256", (5000, -4174618768472908954), (650, 3512276000984360620), (1, -6777255721259051982)),
    _of("sieve", (220, -2852887752272272468), (55, -2294420684558831109), (1, 8057736063575552504)),
    _of("simd_dot", (600000, -5640493917781669895), (50000, 5259453063857306636), (2, 2448065176596852974)),
    _of("simd_matrix", (400000, -2404008375857147494), (50000, 8750468832515764898), (2, 27586083400604505)),
    _of("simd_saxpy", (600000, 7149202614059480548), (80000, 2193322075616700366), (2, -5160129203748577300)),
    _of("simd_search", (2000000, -6311270582902402282), (300000, 26222312755780684), (2, 5356056493677405636)),
    _of("tak", (5000, 1282630800015093061), (1700, -245638128819198502), (2, -3463947237099517415)),
    _of("xorshift", (220000000, 6929935392889901470), (45000000, 2636732378096311363), (9, -8750259126797150173)),
]


@dataclass(frozen=True)
class PolyBench:
    """A kernel of PolyBench; its checksum is that of what it leaves after `init()` and `kernel()`."""
    name: str
    checksum: float

    @property
    def source(self) -> Path:
        return POLYBENCH_DIRECTORY / f"{self.name}.c"

    @property
    def wasm(self) -> Path:
        return POLYBENCH_DIRECTORY / f"{self.name}.wasm"


POLYBENCH = [
    PolyBench("2mm", 137563256348.74847),
    PolyBench("3mm", 14115999052.99917),
    PolyBench("adi", 20373852.930549525),
    PolyBench("atax", 219187343.3716582),
    PolyBench("bicg", 15831528.680519072),
    PolyBench("cholesky", 3314506935.6223826),
    PolyBench("correlation", 29307036.0),
    PolyBench("covariance", 41154876436.64572),
    PolyBench("deriche", 3297310.4388019238),
    PolyBench("doitgen", 814644020.9805583),
    PolyBench("durbin", -1453.1156556907042),
    PolyBench("fdtd-2d", 2644638457.52438),
    PolyBench("floyd-warshall", 234032541.0),
    PolyBench("gemm", 1893379562.9891858),
    PolyBench("gemver", 2192638221293.2048),
    PolyBench("gesummv", 5176369.335000001),
    PolyBench("gramschmidt", 93598031.35838073),
    PolyBench("heat-3d", 485321643.0),
    PolyBench("jacobi-1d", 53636.36993413385),
    PolyBench("jacobi-2d", 2016912215.5720215),
    PolyBench("lu", 54601689.5399994),
    PolyBench("ludcmp", 18.56976396855342),
    PolyBench("mvt", 15818245.499999996),
    PolyBench("nussinov", 5248495743.0),
    PolyBench("seidel-2d", 8217711085.580014),
    PolyBench("symm", 457893905.31300056),
    PolyBench("syr2k", 2117748573.56024),
    PolyBench("syrk", 1058886184.2877954),
    PolyBench("trisolv", 21244.602613574865),
    PolyBench("trmm", 918999855.5816965),
]
