(core module $guest
  (type $any (func))
  (table 10 funcref)
  (func (export "handle") (param i32 i32) (call_indirect (type $any) (i32.const 5))))
