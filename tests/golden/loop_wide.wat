;; addresses and a count of 64 bits
(module (memory i64 1)
  (func (export "f") (param $i i64) (param $n i64)
    (loop $l (i64.store (local.get $i) (local.get $n)) (br_if $l (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 8))) (local.get $n))))))
;;; IR
;; define internal fastcc void @f0(ptr %env, ptr %inst, i64 %a0, i64 %a1) #0 {
;;   %l0 = alloca i64
;;   %l1 = alloca i64
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
;;   store i64 %a0, ptr %l0
;;   store i64 %a1, ptr %l1
;;   br label %L1.proof
;; L1.proof:
;;   %0 = load i64, ptr %l0
;;   %1 = add i64 8, %0
;;   %2 = load i64, ptr %l1
;;   %3 = icmp ult i64 %1, %2
;;   %4 = sub i64 %2, %1
;;   %5 = add i64 %4, 7
;;   %6 = udiv i64 %5, 8
;;   %7 = select i1 %3, i64 %6, i64 0
;;   %8 = icmp ule i64 %7, 4294967296
;;   %9 = icmp sge i64 %4, 0
;;   %10 = icmp ule i64 %2, -8
;;   %11 = load i64, ptr %bytes0
;;   %12 = load i64, ptr %l0
;;   %13 = icmp ule i64 %12, %11
;;   %14 = mul i64 8, %7
;;   %15 = add i64 %12, %14
;;   %16 = sub i64 %11, 8
;;   %17 = icmp sle i64 %15, %16
;;   %18 = ptrtoint ptr %mem0 to i64
;;   %19 = add i64 %18, %12
;;   %20 = inttoptr i64 %19 to ptr
;;   %21 = and i1 %8, %9
;;   %22 = and i1 %21, %10
;;   %23 = and i1 %22, %13
;;   %24 = and i1 %23, %17
;;   br i1 %24, label %L1.free, label %L1.exact
;; L1.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %20, ptr %g1.0
;;   br label %f.L1
;; f.L1:
;;   %25 = load i64, ptr %l0
;;   %26 = load i64, ptr %l1
;;   %27 = load ptr, ptr %g1.0
;;   store i64 %26, ptr %27, align 1
;;   %28 = load i64, ptr %l0
;;   %29 = add i64 %28, 8
;;   store i64 %29, ptr %l0
;;   %30 = load i64, ptr %l1
;;   %31 = icmp ult i64 %29, %30
;;   %32 = zext i1 %31 to i32
;;   %33 = icmp ne i32 %32, 0
;;   %34 = load ptr, ptr %g1.0
;;   %35 = getelementptr i8, ptr %34, i64 8
;;   store ptr %35, ptr %g1.0
;;   br i1 %33, label %f.L1, label %on36
;; on36:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %36 = load i64, ptr %l0
;;   %37 = load i64, ptr %l1
;;   %38 = getelementptr i8, ptr %inst, i64 40
;;   %39 = load ptr, ptr %38, !invariant.load !1
;;   %40 = getelementptr i8, ptr %39, i64 8
;;   %41 = load i64, ptr %40
;;   %42 = icmp ult i64 %41, 8
;;   %43 = sub i64 %41, 8
;;   %44 = icmp ugt i64 %36, %43
;;   %45 = or i1 %42, %44
;;   br i1 %45, label %trap49, label %ok50, !prof !0
;; ok50:
;;   %46 = add i64 %36, 0
;;   %47 = getelementptr i8, ptr %mem0, i64 %46
;;   store volatile i64 %37, ptr %47, align 1
;;   %48 = load i64, ptr %l0
;;   %49 = add i64 %48, 8
;;   store i64 %49, ptr %l0
;;   %50 = load i64, ptr %l1
;;   %51 = icmp ult i64 %49, %50
;;   %52 = zext i1 %51 to i32
;;   %53 = icmp ne i32 %52, 0
;;   br i1 %53, label %L1, label %on60
;; on60:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; trap49:
;;   call void @rt_trap(ptr %env, i64 5) #1
;;   unreachable
;; }
