(core module $guest
  (table 1 funcref)
  (elem (i32.const 1) func $handle)
  (func $handle (export "handle") (param i32 i32)))
