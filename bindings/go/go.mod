module libmp

go 1.19
