;; what joined a group that goes down kept its offset: no trap, and stores went on
;; call f0 400 200
;; call f0 400 100
;; call f0 400 102
(module
(memory (export "memory0") 4)
(global (export "g") (mut i64) (i64.const 0))
(func (export "f0") (param $i i32) (param $n i32) (result i32 i32)
  (local $x i32)
  (loop $l
    (drop (i64.load (local.get $i)))
    (i32.store16 offset=131072 (local.get $i) (local.get $n))
    (local.set $x (i32.load8_u (i32.add (local.get $i) (i32.const 4))))
    (local.set $i (i32.sub (local.get $i) (i32.const 4)))
    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $i) (local.get $x)))
