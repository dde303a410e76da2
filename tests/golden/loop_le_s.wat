;; an inequality that the last value of its type satisfies
(module (memory 1)
  (func (export "f") (param $i i32) (param $n i32)
    (loop $l (i64.store (local.get $i) (i64.const 5)) (br_if $l (i32.le_s (local.tee $i (i32.add (local.get $i) (i32.const 16))) (local.get $n))))))
;;; IR
;; define internal fastcc void @f0(ptr %env, ptr %inst, i32 %a0, i32 %a1) #0 {
;;   %l0 = alloca i32
;;   %l1 = alloca i32
;;   %bytes0 = alloca i64
;;   %g1.0 = alloca ptr
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
;;   br label %L1.proof
;; L1.proof:
;;   %0 = load i32, ptr %l0
;;   %1 = add i32 16, %0
;;   %2 = load i32, ptr %l1
;;   %3 = icmp sle i32 %1, %2
;;   %4 = sub i32 %2, %1
;;   %5 = zext i32 %4 to i64
;;   %6 = add i64 %5, 16
;;   %7 = udiv i64 %6, 16
;;   %8 = select i1 %3, i64 %7, i64 0
;;   %9 = sext i32 %1 to i64
;;   %10 = mul i64 %8, 16
;;   %11 = add i64 %9, %10
;;   %12 = icmp sle i64 %11, 2147483647
;;   %13 = load i64, ptr %bytes0
;;   %14 = load i32, ptr %l0
;;   %15 = zext i32 %14 to i64
;;   %16 = mul i64 16, %8
;;   %17 = add i64 %15, %16
;;   %18 = sub i64 %13, 8
;;   %19 = icmp sle i64 %17, %18
;;   %20 = ptrtoint ptr %mem0 to i64
;;   %21 = add i64 %20, %15
;;   %22 = inttoptr i64 %21 to ptr
;;   %23 = and i1 %12, %19
;;   br i1 %23, label %L1.free, label %L1.exact
;; L1.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %22, ptr %g1.0
;;   br label %f.L1
;; f.L1:
;;   %24 = load i32, ptr %l0
;;   %25 = load ptr, ptr %g1.0
;;   store i64 5, ptr %25, align 1
;;   %26 = load i32, ptr %l0
;;   %27 = add i32 %26, 16
;;   store i32 %27, ptr %l0
;;   %28 = load i32, ptr %l1
;;   %29 = icmp sle i32 %27, %28
;;   %30 = zext i1 %29 to i32
;;   %31 = icmp ne i32 %30, 0
;;   %32 = load ptr, ptr %g1.0
;;   %33 = getelementptr i8, ptr %32, i64 16
;;   store ptr %33, ptr %g1.0
;;   br i1 %31, label %f.L1, label %on34
;; on34:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %34 = load i32, ptr %l0
;;   %35 = zext i32 %34 to i64
;;   %36 = getelementptr i8, ptr %mem0, i64 %35
;;   store volatile i64 5, ptr %36, align 1
;;   %37 = load i32, ptr %l0
;;   %38 = add i32 %37, 16
;;   store i32 %38, ptr %l0
;;   %39 = load i32, ptr %l1
;;   %40 = icmp sle i32 %38, %39
;;   %41 = zext i1 %40 to i32
;;   %42 = icmp ne i32 %41, 0
;;   br i1 %42, label %L1, label %on47
;; on47:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
