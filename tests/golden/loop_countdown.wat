;; a count down to zero
(module (memory 1)
  (func (export "f") (param $p i32) (param $n i32)
    (loop $l (i32.store16 offset=6 (local.get $p) (local.get $n)) (local.set $p (i32.add (local.get $p) (i32.const 8))) (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
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
;;   %0 = load i32, ptr %l1
;;   %1 = add i32 -1, %0
;;   %2 = sub i32 %1, 0
;;   %3 = zext i32 %2 to i64
;;   %4 = load i64, ptr %bytes0
;;   %5 = load i32, ptr %l0
;;   %6 = zext i32 %5 to i64
;;   %7 = mul i64 8, %3
;;   %8 = add i64 %6, %7
;;   %9 = sub i64 %4, 8
;;   %10 = icmp sle i64 %8, %9
;;   %11 = ptrtoint ptr %mem0 to i64
;;   %12 = add i64 %11, %6
;;   %13 = inttoptr i64 %12 to ptr
;;   br i1 %10, label %L1.free, label %L1.exact
;; L1.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %13, ptr %g1.0
;;   br label %f.L1
;; f.L1:
;;   %14 = load i32, ptr %l0
;;   %15 = load i32, ptr %l1
;;   %16 = load ptr, ptr %g1.0
;;   %17 = getelementptr i8, ptr %16, i64 6
;;   %18 = trunc i32 %15 to i16
;;   store i16 %18, ptr %17, align 1
;;   %19 = load i32, ptr %l0
;;   %20 = add i32 %19, 8
;;   store i32 %20, ptr %l0
;;   %21 = load i32, ptr %l1
;;   %22 = sub i32 %21, 1
;;   store i32 %22, ptr %l1
;;   %23 = icmp ne i32 %22, 0
;;   %24 = load ptr, ptr %g1.0
;;   %25 = getelementptr i8, ptr %24, i64 8
;;   store ptr %25, ptr %g1.0
;;   br i1 %23, label %f.L1, label %on26
;; on26:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %26 = load i32, ptr %l0
;;   %27 = load i32, ptr %l1
;;   %28 = zext i32 %26 to i64
;;   %29 = add nuw nsw i64 %28, 6
;;   %30 = getelementptr i8, ptr %mem0, i64 %29
;;   %31 = trunc i32 %27 to i16
;;   store volatile i16 %31, ptr %30, align 1
;;   %32 = load i32, ptr %l0
;;   %33 = add i32 %32, 8
;;   store i32 %33, ptr %l0
;;   %34 = load i32, ptr %l1
;;   %35 = sub i32 %34, 1
;;   store i32 %35, ptr %l1
;;   %36 = icmp ne i32 %35, 0
;;   br i1 %36, label %L1, label %on41
;; on41:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
