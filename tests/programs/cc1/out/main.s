	.file	"main.c"
__SP_H__ = 0x3e
__SP_L__ = 0x3d
__SREG__ = 0x3f
__tmp_reg__ = 0
__zero_reg__ = 1
	.text
	.type	send_number, @function
send_number:
	push r28
	push r29
	rcall .
	rcall .
	in r28,__SP_L__
	in r29,__SP_H__
/* prologue: function */
/* frame size = 4 */
/* stack size = 6 */
.L__stack_usage = 6
	std Y+1,r22
	std Y+2,r23
	std Y+3,r24
	std Y+4,r25
	cpi r22,10
	cpc r23,__zero_reg__
	cpc r24,__zero_reg__
	cpc r25,__zero_reg__
	brlo .L2
	ldi r18,lo8(10)
	ldi r19,0
	ldi r20,0
	ldi r21,0
	call __udivmodsi4
	movw r22,r18
	movw r24,r20
	call send_number
.L2:
	ldd r22,Y+1
	ldd r23,Y+2
	ldd r24,Y+3
	ldd r25,Y+4
	ldi r18,lo8(10)
	ldi r19,0
	ldi r20,0
	ldi r21,0
	call __udivmodsi4
	subi r22,lo8(-(48))
.L3:
	lds r24,192
	sbrs r24,5
	rjmp .L3
	sts 198,r22
/* epilogue start */
	pop __tmp_reg__
	pop __tmp_reg__
	pop __tmp_reg__
	pop __tmp_reg__
	pop r29
	pop r28
	ret
	.size	send_number, .-send_number
	.section	.rodata
.LC0:
	.word	512
	.zero	2
	.zero	62
	.section	.text.startup,"ax",@progbits
.global	main
	.type	main, @function
main:
	in r28,__SP_L__
	in r29,__SP_H__
	subi r28,70
	sbc r29,__zero_reg__
	in __tmp_reg__,__SREG__
	cli
	out __SP_H__,r29
	out __SREG__,__tmp_reg__
	out __SP_L__,r28
/* prologue: function */
/* frame size = 70 */
/* stack size = 70 */
.L__stack_usage = 70
	ldi r24,lo8(66)
	ldi r30,lo8(.LC0)
	ldi r31,hi8(.LC0)
	movw r26,r28
	adiw r26,1
	0:
	ld r0,Z+
	st X+,r0
	dec r24
	brne 0b
	ldi r16,lo8(2)
	ldi r17,0
	mov r14,__zero_reg__
	mov r15,__zero_reg__
	movw r12,r14
.L14:
	mul r16,r16
	movw r24,r0
	mul r16,r17
	add r25,r0
	add r25,r0
	clr r1
.L7:
	cpi r25,2
	brsh .+2
	rjmp .L8
.L11:
	movw r24,r16
	ldi r26,0
	ldi r27,0
	adiw r28,67-60
	std Y+60,r24
	std Y+61,r25
	std Y+62,r26
	std Y+63,r27
	sbiw r28,67-60
	movw r22,r16
	movw r24,r26
	call send_number
.L9:
	lds r24,192
	sbrs r24,5
	rjmp .L9
	ldi r25,lo8(32)
	sts 198,r25
	ldi r22,lo8(64)
	ldi r23,lo8(66)
	ldi r24,lo8(15)
	ldi r25,0
	adiw r28,67-60
	ldd r18,Y+60
	ldd r19,Y+61
	ldd r20,Y+62
	ldd r21,Y+63
	sbiw r28,67-60
	call __divmodsi4
	add r12,r18
	adc r13,r19
	adc r14,r20
	adc r15,r21
.L13:
	subi r16,-1
	sbci r17,-1
	cp r16,__zero_reg__
	ldi r26,2
	cpc r17,r26
	breq .L12
	movw r30,r16
	ldi r24,3
	1:
	lsr r31
	ror r30
	dec r24
	brne 1b
	movw r18,r28
	subi r18,-3
	sbci r19,-1
	add r30,r18
	adc r31,r19
	ld r24,Z
	ldi r25,0
	movw r18,r16
	andi r18,7
	rjmp 2f
	1:
	asr r25
	ror r24
	2:
	dec r18
	brpl 1b
	sbrc r24,0
	rjmp .L13
	cpi r17,2
	brsh .+2
	rjmp .L14
.L12:
	movw r22,r12
	movw r24,r14
	call send_number
	ldi r24,0
	ldi r25,0
/* epilogue start */
	subi r28,-70
	sbci r29,-1
	in __tmp_reg__,__SREG__
	cli
	out __SP_H__,r29
	out __SREG__,__tmp_reg__
	out __SP_L__,r28
	ret
.L8:
	cpi r16,23
	cpc r17,__zero_reg__
	brlo .+2
	rjmp .L11
	movw r30,r24
	ldi r18,3
	1:
	lsr r31
	ror r30
	dec r18
	brne 1b
	movw r18,r28
	subi r18,-3
	sbci r19,-1
	add r30,r18
	adc r31,r19
	movw r20,r24
	andi r20,7
	ldi r26,lo8(1)
	rjmp 2f
	1:
	lsl r26
	2:
	dec r20
	brpl 1b
	ld r18,Z
	or r18,r26
	st Z,r18
	add r24,r16
	adc r25,r17
	rjmp .L7
	.size	main, .-main
	.ident	"GCC: (GNU) 15.2.0"
.global __do_copy_data
