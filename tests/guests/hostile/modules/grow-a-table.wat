;; By everything, and then by as little as possible for as long as it is let.
(core module $guest
  (table $table 0 funcref)
  (func (export "handle") (param i32 i32)
    (if (i32.ne (table.grow $table (ref.null func) (i32.const -1)) (i32.const -1))
      (then unreachable))
    (loop $again
      (br_if $again
        (i32.ne (table.grow $table (ref.null func) (i32.const 1)) (i32.const -1))))
    (if (i32.gt_u (table.size $table) (i32.const 20000)) (then unreachable))))
