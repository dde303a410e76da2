;; descending
(module (memory 1)
  (func (export "f") (param $i i32)
    (loop $l (i32.store8 (local.get $i) (local.get $i)) (br_if $l (i32.gt_s (local.tee $i (i32.sub (local.get $i) (i32.const 1))) (i32.const 0))))))
;;; IR
;; define internal fastcc void @f0(ptr %env, ptr %inst, i32 %a0) #0 {
;;   %l0 = alloca i32
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
;;   br label %L1.proof
;; L1.proof:
;;   %0 = load i32, ptr %l0
;;   %1 = add i32 -1, %0
;;   %2 = icmp sgt i32 %1, 0
;;   %3 = sub i32 %1, 0
;;   %4 = zext i32 %3 to i64
;;   %5 = select i1 %2, i64 %4, i64 0
;;   %6 = load i64, ptr %bytes0
;;   %7 = load i32, ptr %l0
;;   %8 = zext i32 %7 to i64
;;   %9 = mul i64 -1, %5
;;   %10 = add i64 %8, %9
;;   %11 = icmp sge i64 %10, 0
;;   %12 = sub i64 %6, 1
;;   %13 = icmp sle i64 %8, %12
;;   %14 = ptrtoint ptr %mem0 to i64
;;   %15 = add i64 %14, %8
;;   %16 = inttoptr i64 %15 to ptr
;;   %17 = and i1 %11, %13
;;   br i1 %17, label %L1.free, label %L1.exact
;; L1.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %16, ptr %g1.0
;;   br label %f.L1
;; f.L1:
;;   %18 = load i32, ptr %l0
;;   %19 = load i32, ptr %l0
;;   %20 = load ptr, ptr %g1.0
;;   %21 = trunc i32 %19 to i8
;;   store i8 %21, ptr %20, align 1
;;   %22 = load i32, ptr %l0
;;   %23 = sub i32 %22, 1
;;   store i32 %23, ptr %l0
;;   %24 = icmp sgt i32 %23, 0
;;   %25 = zext i1 %24 to i32
;;   %26 = icmp ne i32 %25, 0
;;   %27 = load ptr, ptr %g1.0
;;   %28 = getelementptr i8, ptr %27, i64 -1
;;   store ptr %28, ptr %g1.0
;;   br i1 %26, label %f.L1, label %on29
;; on29:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %29 = load i32, ptr %l0
;;   %30 = load i32, ptr %l0
;;   %31 = zext i32 %29 to i64
;;   %32 = getelementptr i8, ptr %mem0, i64 %31
;;   %33 = trunc i32 %30 to i8
;;   store volatile i8 %33, ptr %32, align 1
;;   %34 = load i32, ptr %l0
;;   %35 = sub i32 %34, 1
;;   store i32 %35, ptr %l0
;;   %36 = icmp sgt i32 %35, 0
;;   %37 = zext i1 %36 to i32
;;   %38 = icmp ne i32 %37, 0
;;   br i1 %38, label %L1, label %on43
;; on43:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
