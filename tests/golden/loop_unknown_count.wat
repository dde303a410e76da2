;; a count that nobody knows: there is one copy, which is exact
(module (memory 1)
  (func (export "f") (param $p i32)
    (loop $l (br_if $l (i32.load8_u (local.tee $p (i32.add (local.get $p) (i32.const 1))))))))
;;; IR
;; define internal fastcc void @f0(ptr %env, ptr %inst, i32 %a0) #0 {
;;   %l0 = alloca i32
;;   %mem0.p = getelementptr i8, ptr %inst, i64 32
;;   %mem0 = load ptr, ptr %mem0.p, !invariant.load !1
;;   br label %begin
;; begin:
;;   store i32 %a0, ptr %l0
;;   br label %L1
;; L1:
;;   %0 = load i32, ptr %l0
;;   %1 = add i32 %0, 1
;;   store i32 %1, ptr %l0
;;   %2 = zext i32 %1 to i64
;;   %3 = getelementptr i8, ptr %mem0, i64 %2
;;   %4 = load volatile i8, ptr %3, align 1
;;   %5 = zext i8 %4 to i32
;;   %6 = freeze i32 %5
;;   %7 = icmp ne i32 %6, 0
;;   br i1 %7, label %L1, label %on9
;; on9:
;;   br label %L1.end
;; L1.end:
;;   br label %return
;; return:
;;   ret void
;; }
