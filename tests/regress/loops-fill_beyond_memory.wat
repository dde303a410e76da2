;; constant stores became memset, which began at the lowest address, or faulted in the C library
;; call up 0 1073741824
;; call up 131060 20
;; call up 65536 -1
;; call down 65528 32768
;; call down 1000 2000
(module
(memory (export "memory0") 2 4)
(global (export "g") (mut i64) (i64.const 0))
(func (export "up") (param $p i32) (param $n i32) (result i32 i32)
  (block $out (loop $l
    (br_if $out (i32.eqz (local.get $n)))
    (i32.store8 (local.get $p) (i32.const 7))
    (local.set $p (i32.add (local.get $p) (i32.const 1)))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br $l)))
  (local.get $p) (local.get $n))
(func (export "down") (param $p i32) (param $n i32) (result i32 i32)
  (loop $l
    (i64.store (local.get $p) (i64.const 0))
    (local.set $p (i32.sub (local.get $p) (i32.const 8)))
    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $p) (local.get $n)))
