;; Adds two numbers, tells the host, and has a memory for it to play with.
(module
  (import "env" "log" (func $log (param i32)))
  (memory (export "memory") 1)
  (global (export "calls") (mut i32) (i32.const 0))
  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (local $sum i32)
    (global.set 0 (i32.add (global.get 0) (i32.const 1)))
    (local.set $sum (i32.add (local.get $a) (local.get $b)))
    (call $log (local.get $sum))
    (local.get $sum))
  (func (export "div") (param i32 i32) (result i32)
    (i32.div_s (local.get 0) (local.get 1))))
