"""ECS tasks as processes of this machine, and the load balancers before them."""
