(core module $guest
  (memory 1)
  (data (i32.const 65535) "too long")
  (func (export "handle") (param i32 i32)))
