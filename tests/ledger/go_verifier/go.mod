module sandbox.example/verifier

go 1.22
