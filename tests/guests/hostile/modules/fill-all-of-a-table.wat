(core module $guest
  (table $table 20000 funcref)
  (func $handle (export "handle") (param i32 i32)
    (loop $again
      (table.fill $table (i32.const 0) (ref.func $handle) (i32.const 20000))
      (br $again)))
  (elem declare func $handle))
