;; a step in a local
(module (memory 1)
  (func (export "f") (param $i i32) (param $s i32)
    (loop $l (i32.store8 (local.get $i) (i32.const 1)) (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (local.get $s))) (i32.const 60000))))))
;;; IR
;; define internal fastcc void @f0(ptr %env, ptr %inst, i32 %a0, i32 %a1) #0 {
;;   %l0 = alloca i32
;;   %l1 = alloca i32
;;   %bytes0 = alloca i64
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
;;   %1 = sext i32 %0 to i64
;;   %2 = add i64 %1, 1073741823
;;   %3 = icmp ult i64 %2, 2147483647
;;   %4 = load i32, ptr %l0
;;   %5 = load i32, ptr %l1
;;   %6 = add i32 %4, %5
;;   %7 = icmp ult i32 %6, 60000
;;   %8 = sub i32 60000, %6
;;   %9 = zext i32 %8 to i64
;;   %10 = icmp sgt i64 %1, 0
;;   %11 = call i64 @llvm.umax.i64(i64 %1, i64 1)
;;   %12 = sub i64 %11, 1
;;   %13 = add i64 %9, %12
;;   %14 = udiv i64 %13, %11
;;   %15 = select i1 %7, i64 %14, i64 0
;;   %16 = zext i32 %6 to i64
;;   %17 = mul i64 %15, %11
;;   %18 = add i64 %16, %17
;;   %19 = icmp sle i64 %18, 4294967295
;;   %20 = load i64, ptr %bytes0
;;   %21 = load i32, ptr %l0
;;   %22 = zext i32 %21 to i64
;;   %23 = load i32, ptr %l1
;;   %24 = sext i32 %23 to i64
;;   %25 = add i64 %24, 1073741823
;;   %26 = icmp ult i64 %25, 2147483647
;;   %27 = mul i64 %24, %15
;;   %28 = call i64 @llvm.smin.i64(i64 %27, i64 0)
;;   %29 = call i64 @llvm.smax.i64(i64 %27, i64 0)
;;   %30 = add i64 %22, %28
;;   %31 = icmp sge i64 %30, 0
;;   %32 = add i64 %22, %29
;;   %33 = sub i64 %20, 1
;;   %34 = icmp sle i64 %32, %33
;;   %35 = and i1 %3, %10
;;   %36 = and i1 %35, %19
;;   %37 = and i1 %36, %26
;;   %38 = and i1 %37, %31
;;   %39 = and i1 %38, %34
;;   br i1 %39, label %L1.free, label %L1.exact
;; L1.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   br label %f.L1
;; f.L1:
;;   %40 = load i32, ptr %l0
;;   %41 = zext i32 %40 to i64
;;   %42 = getelementptr i8, ptr %mem0, i64 %41
;;   %43 = trunc i32 1 to i8
;;   store i8 %43, ptr %42, align 1
;;   %44 = load i32, ptr %l0
;;   %45 = load i32, ptr %l1
;;   %46 = add i32 %44, %45
;;   store i32 %46, ptr %l0
;;   %47 = icmp ult i32 %46, 60000
;;   %48 = zext i1 %47 to i32
;;   %49 = icmp ne i32 %48, 0
;;   br i1 %49, label %f.L1, label %on52
;; on52:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %50 = load i32, ptr %l0
;;   %51 = zext i32 %50 to i64
;;   %52 = getelementptr i8, ptr %mem0, i64 %51
;;   %53 = trunc i32 1 to i8
;;   store volatile i8 %53, ptr %52, align 1
;;   %54 = load i32, ptr %l0
;;   %55 = load i32, ptr %l1
;;   %56 = add i32 %54, %55
;;   store i32 %56, ptr %l0
;;   %57 = icmp ult i32 %56, 60000
;;   %58 = zext i1 %57 to i32
;;   %59 = icmp ne i32 %58, 0
;;   br i1 %59, label %L1, label %on64
;; on64:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
