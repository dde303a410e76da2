;; tested at its start, signed
(module (memory 1)
  (func (export "f") (param $i i32) (param $n i32)
    (block $out (loop $l (br_if $out (i32.ge_s (local.get $i) (local.get $n))) (f64.store (i32.shl (local.get $i) (i32.const 3)) (f64.const 1)) (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l)))))
;;; IR
;; define internal fastcc void @f0(ptr %env, ptr %inst, i32 %a0, i32 %a1) #0 {
;;   %l0 = alloca i32
;;   %l1 = alloca i32
;;   %bytes0 = alloca i64
;;   %g2.0 = alloca ptr
;;   %mem0.p = getelementptr i8, ptr %inst, i64 32
;;   %mem0 = load ptr, ptr %mem0.p, !invariant.load !1
;;   %object0.p = getelementptr i8, ptr %inst, i64 40
;;   %object0 = load ptr, ptr %object0.p, !invariant.load !1
;;   %size0.p = getelementptr i8, ptr %object0, i64 8
;;   %size0 = load i64, ptr %size0.p
;;   store i64 %size0, ptr %bytes0
;;   br label %begin
;; begin:
;;   store i32 %a0, ptr %l0
;;   store i32 %a1, ptr %l1
;;   br label %L2.proof
;; L2.proof:
;;   %0 = load i32, ptr %l0
;;   %1 = load i32, ptr %l1
;;   %2 = icmp slt i32 %0, %1
;;   %3 = sub i32 %1, %0
;;   %4 = zext i32 %3 to i64
;;   %5 = select i1 %2, i64 %4, i64 0
;;   %6 = load i64, ptr %bytes0
;;   %7 = load i32, ptr %l0
;;   %8 = mul i32 %7, 8
;;   %9 = zext i32 %8 to i64
;;   %10 = sub i64 %5, 1
;;   %11 = mul i64 8, %10
;;   %12 = add i64 %9, %11
;;   %13 = sub i64 %6, 8
;;   %14 = icmp sle i64 %12, %13
;;   %15 = ptrtoint ptr %mem0 to i64
;;   %16 = add i64 %15, %9
;;   %17 = inttoptr i64 %16 to ptr
;;   br i1 %14, label %L2.free, label %L2.exact
;; L2.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %17, ptr %g2.0
;;   br label %f.L2
;; f.L2:
;;   %18 = load i32, ptr %l0
;;   %19 = load i32, ptr %l1
;;   %20 = icmp sge i32 %18, %19
;;   %21 = zext i1 %20 to i32
;;   %22 = icmp ne i32 %21, 0
;;   br i1 %22, label %taken25, label %on24
;; taken25:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1
;; on24:
;;   %23 = load i32, ptr %l0
;;   %24 = and i32 3, 31
;;   %25 = shl i32 %23, %24
;;   %26 = load ptr, ptr %g2.0
;;   store double 0x3FF0000000000000, ptr %26, align 1
;;   %27 = load i32, ptr %l0
;;   %28 = add i32 %27, 1
;;   store i32 %28, ptr %l0
;;   %29 = load ptr, ptr %g2.0
;;   %30 = getelementptr i8, ptr %29, i64 8
;;   store ptr %30, ptr %g2.0
;;   br label %f.L2
;; L2.exact:
;;   br label %L2
;; L2:
;;   %31 = load i32, ptr %l0
;;   %32 = load i32, ptr %l1
;;   %33 = icmp sge i32 %31, %32
;;   %34 = zext i1 %33 to i32
;;   %35 = icmp ne i32 %34, 0
;;   br i1 %35, label %L1, label %on40
;; on40:
;;   %36 = load i32, ptr %l0
;;   %37 = and i32 3, 31
;;   %38 = shl i32 %36, %37
;;   %39 = zext i32 %38 to i64
;;   %40 = getelementptr i8, ptr %mem0, i64 %39
;;   store volatile double 0x3FF0000000000000, ptr %40, align 1
;;   %41 = load i32, ptr %l0
;;   %42 = add i32 %41, 1
;;   store i32 %42, ptr %l0
;;   br label %L2
;; L2.end:
;;   br label %L1
;; L1:
;;   br label %return
;; return:
;;   ret void
;; }
