;; call f0 35 32 32 65532 4 72623859790382856
(module
(memory $m0 (export "memory0") i32 1 4 )
(global $g (export "g") (mut i64) (i64.const 0))
(func $f0 (export "f0") (param $n i32) (param $i i32) (param $p i32) (param $q i32) (param $s i32) (param $v i64) (result i64 i64 i32 i32 i32 i32)
  (local $acc i64) (local $x i64) (local $k i32) (local $j i32)
(block $out (loop $l
(br_if $out (i32.gt_s (local.get $p) (local.get $n)))
(local.set $acc (select (i64x2.extract_lane 1 (v128.load32_splat $m0 (i32.add (i32.add (local.get $q) (i32.const 8)) (i32.mul (local.get $i) (i32.const 4))))) (local.get $acc) (i32.wrap_i64 (i64.and (local.get $acc) (i64.const 1)))))
(if (i32.wrap_i64 (i64.and (local.get $acc) (i64.const 1))) (then (local.set $acc (i64.add (local.get $acc) (i64.extend_i32_u (i32.load $m0 (local.get $p)))))
) )
(local.set $q (i32.add (local.get $q) (i32.const 1)))
(local.set $p (i32.add (local.get $p) (i32.const 1)))
(br $l))
)
  (local.get $acc) (local.get $x) (local.get $n) (local.get $i) (local.get $p) (local.get $q))
)
