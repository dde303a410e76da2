;; Something for profilers and debuggers to look at: a recursion, and a loop with a call that the compiler inlines.
(module $profile
  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else
        (i32.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  (func $ratio (param $a i32) (param $b i32) (result i32)
    (i32.div_s (local.get $a) (local.get $b)))

  (func $series (export "series") (param $n i32) (result i32)
    (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $ratio (i32.const 1000000) (local.get $n))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  (func $work (export "work") (param $n i32) (result i32)
    (i32.add
      (call $fib (i32.add (local.get $n) (i32.const 10)))
      (call $series (i32.shl (i32.const 1) (local.get $n))))))
