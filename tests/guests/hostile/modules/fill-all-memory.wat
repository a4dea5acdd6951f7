(core module $guest
  (memory 1008)
  (func (export "handle") (param i32 i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 66060288))
      (br $again))))
