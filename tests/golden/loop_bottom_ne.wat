;; a loop tested at its end, for equality
(module (memory 1)
  (func (export "f") (param $p i32) (param $end i32)
    (loop $l (i32.store (local.get $p) (i32.add (i32.load (local.get $p)) (i32.const 1))) (br_if $l (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))))
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
;;   %1 = add i32 4, %0
;;   %2 = load i32, ptr %l1
;;   %3 = sub i32 %2, %1
;;   %4 = zext i32 %3 to i64
;;   %5 = udiv i64 %4, 4
;;   %6 = and i64 %4, 3
;;   %7 = icmp eq i64 %6, 0
;;   %8 = load i64, ptr %bytes0
;;   %9 = load i32, ptr %l0
;;   %10 = zext i32 %9 to i64
;;   %11 = mul i64 4, %5
;;   %12 = add i64 %10, %11
;;   %13 = sub i64 %8, 4
;;   %14 = icmp sle i64 %12, %13
;;   %15 = ptrtoint ptr %mem0 to i64
;;   %16 = add i64 %15, %10
;;   %17 = inttoptr i64 %16 to ptr
;;   %18 = and i1 %7, %14
;;   br i1 %18, label %L1.free, label %L1.exact
;; L1.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %17, ptr %g1.0
;;   br label %f.L1
;; f.L1:
;;   %19 = load i32, ptr %l0
;;   %20 = load i32, ptr %l0
;;   %21 = load ptr, ptr %g1.0
;;   %22 = load i32, ptr %21, align 1
;;   %23 = add i32 %22, 1
;;   %24 = load ptr, ptr %g1.0
;;   store i32 %23, ptr %24, align 1
;;   %25 = load i32, ptr %l0
;;   %26 = add i32 %25, 4
;;   store i32 %26, ptr %l0
;;   %27 = load i32, ptr %l1
;;   %28 = icmp ne i32 %26, %27
;;   %29 = zext i1 %28 to i32
;;   %30 = icmp ne i32 %29, 0
;;   %31 = load ptr, ptr %g1.0
;;   %32 = getelementptr i8, ptr %31, i64 4
;;   store ptr %32, ptr %g1.0
;;   br i1 %30, label %f.L1, label %on33
;; on33:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %33 = load i32, ptr %l0
;;   %34 = load i32, ptr %l0
;;   %35 = zext i32 %34 to i64
;;   %36 = getelementptr i8, ptr %mem0, i64 %35
;;   %37 = load volatile i32, ptr %36, align 1
;;   %38 = freeze i32 %37
;;   %39 = add i32 %38, 1
;;   %40 = zext i32 %33 to i64
;;   %41 = getelementptr i8, ptr %mem0, i64 %40
;;   store volatile i32 %39, ptr %41, align 1
;;   %42 = load i32, ptr %l0
;;   %43 = add i32 %42, 4
;;   store i32 %43, ptr %l0
;;   %44 = load i32, ptr %l1
;;   %45 = icmp ne i32 %43, %44
;;   %46 = zext i1 %45 to i32
;;   %47 = icmp ne i32 %46, 0
;;   br i1 %47, label %L1, label %on52
;; on52:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
