;; an access that nothing is proven of: stores stay where they are
(module (memory 1)
  (func (export "f") (param $i i32) (param $n i32)
    (loop $l (i32.store (local.get $i) (i32.load8_u (i32.load offset=1024 (local.get $i)))) (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 4))) (local.get $n))))))
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
;;   %13 = sub i64 %8, 1028
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
;;   %22 = getelementptr i8, ptr %21, i64 1024
;;   %23 = load i32, ptr %22, align 1
;;   %24 = zext i32 %23 to i64
;;   %25 = getelementptr i8, ptr %mem0, i64 %24
;;   %26 = load volatile i8, ptr %25, align 1
;;   %27 = zext i8 %26 to i32
;;   %28 = freeze i32 %27
;;   %29 = load ptr, ptr %g1.0
;;   store volatile i32 %28, ptr %29, align 1
;;   %30 = load i32, ptr %l0
;;   %31 = add i32 %30, 4
;;   store i32 %31, ptr %l0
;;   %32 = load i32, ptr %l1
;;   %33 = icmp ne i32 %31, %32
;;   %34 = zext i1 %33 to i32
;;   %35 = icmp ne i32 %34, 0
;;   %36 = load ptr, ptr %g1.0
;;   %37 = getelementptr i8, ptr %36, i64 4
;;   store ptr %37, ptr %g1.0
;;   br i1 %35, label %f.L1, label %on38
;; on38:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %38 = load i32, ptr %l0
;;   %39 = load i32, ptr %l0
;;   %40 = zext i32 %39 to i64
;;   %41 = add nuw nsw i64 %40, 1024
;;   %42 = getelementptr i8, ptr %mem0, i64 %41
;;   %43 = load volatile i32, ptr %42, align 1
;;   %44 = freeze i32 %43
;;   %45 = zext i32 %44 to i64
;;   %46 = getelementptr i8, ptr %mem0, i64 %45
;;   %47 = load volatile i8, ptr %46, align 1
;;   %48 = zext i8 %47 to i32
;;   %49 = freeze i32 %48
;;   %50 = zext i32 %38 to i64
;;   %51 = getelementptr i8, ptr %mem0, i64 %50
;;   store volatile i32 %49, ptr %51, align 1
;;   %52 = load i32, ptr %l0
;;   %53 = add i32 %52, 4
;;   store i32 %53, ptr %l0
;;   %54 = load i32, ptr %l1
;;   %55 = icmp ne i32 %53, %54
;;   %56 = zext i1 %55 to i32
;;   %57 = icmp ne i32 %56, 0
;;   br i1 %57, label %L1, label %on62
;; on62:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
