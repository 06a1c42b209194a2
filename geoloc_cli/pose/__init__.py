"""How the camera was held: 2D-3D pairs, a solver, a covariance, and the gate that says when a pose is one."""
