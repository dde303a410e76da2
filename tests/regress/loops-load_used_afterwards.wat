;; a load whose value is only used behind the loop was sunk to base + n * step: it read the host's memory
;; call up 0 131073
;; call up 0 131200
;; call up 0 2
;; call down 0 3
;; call down 0 131074
;; call down 65536 2
(module
(memory (export "memory0") 2 4)
(global (export "g") (mut i64) (i64.const 0))
(func (export "up") (param $p i32) (param $n i32) (result i32 i32)
  (local $x i32)
  (loop $l
    (local.set $x (i32.load (local.get $p)))
    (local.set $p (i32.add (local.get $p) (i32.const 65536)))
    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $x) (local.get $p))
(func (export "down") (param $p i32) (param $n i32) (result i32 i32)
  (local $x i32)
  (loop $l
    (local.set $x (i32.load (local.get $p)))
    (local.set $p (i32.sub (local.get $p) (i32.const 65536)))
    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $x) (local.get $p)))
