;; What benchmarks/arrays.py copies to and from, and what it calls for the elements of arrays.
(module
  (memory (export "memory") 1100)

  (func (export "polynomial") (param $x f64) (result f64)
    (f64.add (f64.const 0.25) (f64.mul (local.get $x)
      (f64.add (f64.const -1.5) (f64.mul (local.get $x)
        (f64.add (f64.const 0.75) (f64.mul (local.get $x)
          (f64.add (f64.const -0.125) (f64.mul (local.get $x) (f64.const 2)))))))))
  )

  (func (export "hash") (param $x i32) (result i32)
    (local.set $x (i32.mul (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 16))) (i32.const 0x7feb352d)))
    (local.set $x (i32.mul (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 15))) (i32.const 0x846ca68b)))
    (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 16)))
  )

  (func (export "weighted") (param $x f64) (param $weight f64) (result f64)
    (f64.sqrt (f64.add (f64.mul (local.get $x) (local.get $weight)) (f64.const 1)))
  )
)
