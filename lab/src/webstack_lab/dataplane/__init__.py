"""What runs for real behind the lab's API: instances, load balancers and what further parts bring."""
