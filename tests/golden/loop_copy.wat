;; a copy, done at once but for its end
(module (memory 1)
  (func (export "f") (param $p i32) (param $q i32) (param $n i32)
    (loop $l (i32.store8 (local.get $p) (i32.load8_u (local.get $q))) (local.set $p (i32.add (local.get $p) (i32.const 1))) (local.set $q (i32.add (local.get $q) (i32.const 1))) (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
;;; IR
;; define internal fastcc void @f0(ptr %env, ptr %inst, i32 %a0, i32 %a1, i32 %a2) #0 {
;;   %l0 = alloca i32
;;   %l1 = alloca i32
;;   %l2 = alloca i32
;;   %bytes0 = alloca i64
;;   %g1.0 = alloca ptr
;;   %g1.1 = alloca ptr
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
;;   store i32 %a2, ptr %l2
;;   br label %L1.proof
;; L1.proof:
;;   %0 = load i32, ptr %l2
;;   %1 = add i32 -1, %0
;;   %2 = sub i32 %1, 0
;;   %3 = zext i32 %2 to i64
;;   %4 = load i64, ptr %bytes0
;;   %5 = load i32, ptr %l1
;;   %6 = zext i32 %5 to i64
;;   %7 = mul i64 1, %3
;;   %8 = add i64 %6, %7
;;   %9 = sub i64 %4, 1
;;   %10 = icmp sle i64 %8, %9
;;   %11 = ptrtoint ptr %mem0 to i64
;;   %12 = add i64 %11, %6
;;   %13 = inttoptr i64 %12 to ptr
;;   %14 = load i64, ptr %bytes0
;;   %15 = load i32, ptr %l0
;;   %16 = zext i32 %15 to i64
;;   %17 = mul i64 1, %3
;;   %18 = add i64 %16, %17
;;   %19 = sub i64 %14, 1
;;   %20 = icmp sle i64 %18, %19
;;   %21 = ptrtoint ptr %mem0 to i64
;;   %22 = add i64 %21, %16
;;   %23 = inttoptr i64 %22 to ptr
;;   %24 = and i1 %10, %20
;;   br i1 %24, label %L1.free, label %L1.exact
;; L1.free:
;;   call void asm sideeffect "", "~{memory},~{flags}"()
;;   store ptr %13, ptr %g1.0
;;   store ptr %23, ptr %g1.1
;;   %25 = sub i64 %3, 1
;;   %26 = mul i64 %25, 1
;;   %27 = load ptr, ptr %g1.1
;;   %28 = icmp sge i64 %26, 512
;;   %29 = load ptr, ptr %g1.0
;;   %30 = ptrtoint ptr %27 to i64
;;   %31 = ptrtoint ptr %29 to i64
;;   %32 = sub i64 %30, %31
;;   %33 = icmp uge i64 %32, %26
;;   %34 = and i1 %28, %33
;;   br i1 %34, label %move36, label %each37
;; move36:
;;   call void @rt_move(ptr %env, ptr %27, ptr %29, i64 %26)
;;   %35 = trunc i64 %25 to i32
;;   %36 = mul i32 %35, 1
;;   %37 = load i32, ptr %l0
;;   %38 = add i32 %37, %36
;;   store i32 %38, ptr %l0
;;   %39 = trunc i64 %25 to i32
;;   %40 = mul i32 %39, 1
;;   %41 = load i32, ptr %l1
;;   %42 = add i32 %41, %40
;;   store i32 %42, ptr %l1
;;   %43 = trunc i64 %25 to i32
;;   %44 = mul i32 %43, -1
;;   %45 = load i32, ptr %l2
;;   %46 = add i32 %45, %44
;;   store i32 %46, ptr %l2
;;   %47 = mul i64 %25, 1
;;   %48 = load ptr, ptr %g1.0
;;   %49 = getelementptr i8, ptr %48, i64 %47
;;   store ptr %49, ptr %g1.0
;;   %50 = mul i64 %25, 1
;;   %51 = load ptr, ptr %g1.1
;;   %52 = getelementptr i8, ptr %51, i64 %50
;;   store ptr %52, ptr %g1.1
;;   br label %each37
;; each37:
;;   br label %f.L1
;; f.L1:
;;   %53 = load i32, ptr %l0
;;   %54 = load i32, ptr %l1
;;   %55 = load ptr, ptr %g1.0
;;   %56 = load i8, ptr %55, align 1
;;   %57 = zext i8 %56 to i32
;;   %58 = load ptr, ptr %g1.1
;;   %59 = trunc i32 %57 to i8
;;   store i8 %59, ptr %58, align 1
;;   %60 = load i32, ptr %l0
;;   %61 = add i32 %60, 1
;;   store i32 %61, ptr %l0
;;   %62 = load i32, ptr %l1
;;   %63 = add i32 %62, 1
;;   store i32 %63, ptr %l1
;;   %64 = load i32, ptr %l2
;;   %65 = sub i32 %64, 1
;;   store i32 %65, ptr %l2
;;   %66 = icmp ne i32 %65, 0
;;   %67 = load ptr, ptr %g1.0
;;   %68 = getelementptr i8, ptr %67, i64 1
;;   store ptr %68, ptr %g1.0
;;   %69 = load ptr, ptr %g1.1
;;   %70 = getelementptr i8, ptr %69, i64 1
;;   store ptr %70, ptr %g1.1
;;   br i1 %66, label %f.L1, label %on71
;; on71:
;;   call void asm sideeffect "", "~{memory}"()
;;   br label %L1.end
;; L1.exact:
;;   br label %L1
;; L1:
;;   %71 = load i32, ptr %l0
;;   %72 = load i32, ptr %l1
;;   %73 = zext i32 %72 to i64
;;   %74 = getelementptr i8, ptr %mem0, i64 %73
;;   %75 = load volatile i8, ptr %74, align 1
;;   %76 = zext i8 %75 to i32
;;   %77 = freeze i32 %76
;;   %78 = zext i32 %71 to i64
;;   %79 = getelementptr i8, ptr %mem0, i64 %78
;;   %80 = trunc i32 %77 to i8
;;   store volatile i8 %80, ptr %79, align 1
;;   %81 = load i32, ptr %l0
;;   %82 = add i32 %81, 1
;;   store i32 %82, ptr %l0
;;   %83 = load i32, ptr %l1
;;   %84 = add i32 %83, 1
;;   store i32 %84, ptr %l1
;;   %85 = load i32, ptr %l2
;;   %86 = sub i32 %85, 1
;;   store i32 %86, ptr %l2
;;   %87 = icmp ne i32 %86, 0
;;   br i1 %87, label %L1, label %on94
;; on94:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
