;; Computes for as long as it is told: a loop that reads and writes memory, so that whatever guards loops and
;; memory is passed in each of its turns.
(component
  (core module $m
    (memory 2)
    (func (export "turn") (param $turns i32) (result i32)
      (local $sum i32) (local $at i32)
      (loop $next
        (local.set $at (i32.and (i32.mul (local.get $turns) (i32.const 4)) (i32.const 0x1fffc)))
        (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
        (i32.store (local.get $at) (local.get $sum))
        (br_if $next (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
      (local.get $sum)))
  (core instance $i (instantiate $m))
  (func (export "turn") (param "turns" u32) (result u32) (canon lift (core func $i "turn"))))
