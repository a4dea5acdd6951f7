(core module $guest
  (memory 1 2)
  (func (export "handle") (param i32 i32)
    (if (i32.ne (memory.grow (i32.const 2)) (i32.const -1)) (then unreachable))
    (if (i32.ne (memory.grow (i32.const 1)) (i32.const 1)) (then unreachable))
    (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))))
