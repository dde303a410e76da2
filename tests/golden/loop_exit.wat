;; another way out, with a fence on it
(module (memory 1)
  (func (export "f") (param $i i32) (param $n i32) (result i32)
    (block $found (loop $l (br_if $found (i32.eqz (i32.load8_u (local.get $i)))) (i32.store8 offset=512 (local.get $i) (i32.const 1)) (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))) (local.get $i)))
;;; IR
;; define internal fastcc i32 @f0(ptr %env, ptr %inst, i32 %a0, i32 %a1) #0 {
;;   %l0 = alloca i32
;;   %l1 = alloca i32
;;   %r0.0 = alloca i32
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
;;   %1 = add i32 1, %0
;;   %2 = load i32, ptr %l1
;;   %3 = sub i32 %2, %1
;;   %4 = zext i32 %3 to i64
;;   %5 = load i64, ptr %bytes0
;;   %6 = load i32, ptr %l0
;;   %7 = zext i32 %6 to i64
;;   %8 = mul i64 1, %4
;;   %9 = add i64 %7, %8
;;   %10 = sub i64 %5, 513
;;   %11 = icmp sle i64 %9, %10
;;   %12 = ptrtoint ptr %mem0 to i64
;;   %13 = add i64 %12, %7
;;   %14 = inttoptr i64 %13 to ptr
;;   br i1 %11, label %L2.free, label %L2.exact
;; L2.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %14, ptr %g2.0
;;   br label %f.L2
;; f.L2:
;;   %15 = load i32, ptr %l0
;;   %16 = load ptr, ptr %g2.0
;;   %17 = load i8, ptr %16, align 1
;;   %18 = zext i8 %17 to i32
;;   %19 = icmp eq i32 %18, 0
;;   %20 = zext i1 %19 to i32
;;   %21 = icmp ne i32 %20, 0
;;   br i1 %21, label %taken24, label %on23
;; taken24:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1
;; on23:
;;   %22 = load i32, ptr %l0
;;   %23 = load ptr, ptr %g2.0
;;   %24 = getelementptr i8, ptr %23, i64 512
;;   %25 = trunc i32 1 to i8
;;   store i8 %25, ptr %24, align 1
;;   %26 = load i32, ptr %l0
;;   %27 = add i32 %26, 1
;;   store i32 %27, ptr %l0
;;   %28 = load i32, ptr %l1
;;   %29 = icmp ne i32 %27, %28
;;   %30 = zext i1 %29 to i32
;;   %31 = icmp ne i32 %30, 0
;;   %32 = load ptr, ptr %g2.0
;;   %33 = getelementptr i8, ptr %32, i64 1
;;   store ptr %33, ptr %g2.0
;;   br i1 %31, label %f.L2, label %on36
;; on36:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L2.end
;; L2.exact:
;;   br label %L2
;; L2:
;;   %34 = load i32, ptr %l0
;;   %35 = zext i32 %34 to i64
;;   %36 = getelementptr i8, ptr %mem0, i64 %35
;;   %37 = load volatile i8, ptr %36, align 1
;;   %38 = zext i8 %37 to i32
;;   %39 = freeze i32 %38
;;   %40 = icmp eq i32 %39, 0
;;   %41 = zext i1 %40 to i32
;;   %42 = icmp ne i32 %41, 0
;;   br i1 %42, label %L1, label %on48
;; on48:
;;   %43 = load i32, ptr %l0
;;   %44 = zext i32 %43 to i64
;;   %45 = add nuw nsw i64 %44, 512
;;   %46 = getelementptr i8, ptr %mem0, i64 %45
;;   %47 = trunc i32 1 to i8
;;   store volatile i8 %47, ptr %46, align 1
;;   %48 = load i32, ptr %l0
;;   %49 = add i32 %48, 1
;;   store i32 %49, ptr %l0
;;   %50 = load i32, ptr %l1
;;   %51 = icmp ne i32 %49, %50
;;   %52 = zext i1 %51 to i32
;;   %53 = icmp ne i32 %52, 0
;;   br i1 %53, label %L2, label %on61
;; on61:
;;   br label %L2.end
;; L2.end:
;;   br label %L1
;; L1:
;;   %54 = load i32, ptr %l0
;;   store i32 %54, ptr %r0.0
;;   br label %return
;; return:
;;   %55 = load i32, ptr %r0.0
;;   ret i32 %55
;; }
