(core module $guest
  (type $other (func (param f64) (result f64)))
  (table funcref (elem $handle))
  (func $handle (export "handle") (param i32 i32)
    (drop (call_indirect (type $other) (f64.const 1) (i32.const 0)))))
