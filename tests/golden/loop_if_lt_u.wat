;; inside an `if`, as AssemblyScript writes it; a step of 3
(module (memory 1)
  (func (export "f") (param $i i32) (param $n i32)
    (loop $l (if (i32.lt_u (local.get $i) (local.get $n)) (then (i32.store8 offset=100 (local.get $i) (local.get $n)) (local.set $i (i32.add (local.get $i) (i32.const 3))) (br $l))))))
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
;;   %1 = load i32, ptr %l1
;;   %2 = icmp ult i32 %0, %1
;;   %3 = sub i32 %1, %0
;;   %4 = zext i32 %3 to i64
;;   %5 = add i64 %4, 2
;;   %6 = udiv i64 %5, 3
;;   %7 = select i1 %2, i64 %6, i64 0
;;   %8 = zext i32 %0 to i64
;;   %9 = mul i64 %7, 3
;;   %10 = add i64 %8, %9
;;   %11 = icmp sle i64 %10, 4294967295
;;   %12 = load i64, ptr %bytes0
;;   %13 = load i32, ptr %l0
;;   %14 = zext i32 %13 to i64
;;   %15 = sub i64 %7, 1
;;   %16 = mul i64 3, %15
;;   %17 = add i64 %14, %16
;;   %18 = sub i64 %12, 101
;;   %19 = icmp sle i64 %17, %18
;;   %20 = ptrtoint ptr %mem0 to i64
;;   %21 = add i64 %20, %14
;;   %22 = inttoptr i64 %21 to ptr
;;   %23 = and i1 %11, %19
;;   br i1 %23, label %L1.free, label %L1.exact
;; L1.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %22, ptr %g1.0
;;   br label %f.L1
;; f.L1:
;;   %24 = load i32, ptr %l0
;;   %25 = load i32, ptr %l1
;;   %26 = icmp ult i32 %24, %25
;;   %27 = zext i1 %26 to i32
;;   %28 = icmp ne i32 %27, 0
;;   br i1 %28, label %then30, label %f.L2.else
;; then30:
;;   %29 = load i32, ptr %l0
;;   %30 = load i32, ptr %l1
;;   %31 = load ptr, ptr %g1.0
;;   %32 = getelementptr i8, ptr %31, i64 100
;;   %33 = trunc i32 %30 to i8
;;   store i8 %33, ptr %32, align 1
;;   %34 = load i32, ptr %l0
;;   %35 = add i32 %34, 3
;;   store i32 %35, ptr %l0
;;   %36 = load ptr, ptr %g1.0
;;   %37 = getelementptr i8, ptr %36, i64 3
;;   store ptr %37, ptr %g1.0
;;   br label %f.L1
;; f.L2.else:
;;   br label %f.L2
;; f.L2:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %38 = load i32, ptr %l0
;;   %39 = load i32, ptr %l1
;;   %40 = icmp ult i32 %38, %39
;;   %41 = zext i1 %40 to i32
;;   %42 = icmp ne i32 %41, 0
;;   br i1 %42, label %then46, label %L2.else
;; then46:
;;   %43 = load i32, ptr %l0
;;   %44 = load i32, ptr %l1
;;   %45 = zext i32 %43 to i64
;;   %46 = add nuw nsw i64 %45, 100
;;   %47 = getelementptr i8, ptr %mem0, i64 %46
;;   %48 = trunc i32 %44 to i8
;;   store volatile i8 %48, ptr %47, align 1
;;   %49 = load i32, ptr %l0
;;   %50 = add i32 %49, 3
;;   store i32 %50, ptr %l0
;;   br label %L1
;; L2.else:
;;   br label %L2
;; L2:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
