;; an access that joined a group that goes down kept its offset: no trap, and stores went on
;; call f0 400 200
;; call f0 400 100
;; call f0 400 102
(module
(memory (export "memory0") 4)
(global (export "g") (mut i64) (i64.const 0))
(func (export "f0") (param $i i32) (param $n i32) (result i32 i32)
  (local $x i32)
  (loop $l
    (local.set $x (i32.load (local.get $i)))
    (i64.store offset=131072 (local.get $i) (i64.extend_i32_u (local.get $n)))
    (local.set $i (i32.sub (local.get $i) (i32.const 8)))
    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $i) (local.get $n)))
