;; One export for each kind of call that calls.py measures.
(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (func (export "none"))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "half") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 0.5)))
  (func (export "mixed") (param i32 i64 f32 f64 i32 i64) (result f64)
    (f64.add (local.get 3) (f64.convert_i32_s (local.get 0))))
  (func (export "swap") (param i32 i32) (result i32 i32) (local.get 1) (local.get 0))
  (func (export "once") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "repeat") (param $times i32) (result i32)
    (local $value i32)
    (loop $again
      (local.set $value (call $host (local.get $value)))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $value)))
