;; call f0 6442450941 0 0 0 4 72623859790382856
(module
(memory $m0 (export "memory0") i32 1 4 )
(global $g (export "g") (mut i64) (i64.const 0))
(func $f0 (export "f0") (param $n i64) (param $i i64) (param $p i32) (param $q i32) (param $s i64) (param $v i64) (result i64 i64 i64 i64 i32 i32)
  (local $acc i64) (local $x i64) (local $k i32) (local $j i32)
(block $out (loop $l
(local.set $acc (i64.add (local.get $acc) (i64.extend_i32_u (i32.load $m0 (local.get $p)))))
(local.set $p (i32.add (local.get $p) (i32.const 1)))
(local.set $q (i32.add (local.get $q) (i32.const 1)))
(local.set $i (i64.add (local.get $i) (i64.const 2147483647)))
(br_if $l (i64.le_s (local.get $i) (local.get $n))))
)
  (local.get $acc) (local.get $x) (local.get $n) (local.get $i) (local.get $p) (local.get $q))
)
